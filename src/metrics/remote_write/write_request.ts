import protobuf from 'protobufjs/light.js';
import snappy from 'snappyjs';
import type { Label } from './series.ts';

/** One sample of one series, with its labels sorted by name. */
export interface Sample {
  readonly labels: readonly Label[];
  /** `stale` says that the series has ended. */
  readonly value: number | 'stale';
}

/** The body of one request, and how many samples are in it. */
export interface EncodedRequest {
  readonly samples: number;
  readonly body: Uint8Array;
}

/** A double in its 64 bits: a number of JavaScript would not keep which NaN it is. */
interface DoubleBits {
  readonly low: number;
  readonly high: number;
  readonly unsigned: true;
}

/** How many samples one request has at most. */
export const mostSamples = 2_000;
/** The largest request before it is compressed, in bytes. */
const largestRequest = 1_000_000;
/** What Prometheus writes where a series ends; a NaN that no calculation gives. */
const staleMarker: DoubleBits = { low: 2, high: 0x7ff00000, unsigned: true };

/** `prometheus.WriteRequest` as far as it is sent; a `fixed64` takes the place of each `double`: they are the same on the wire. */
const descriptor = {
  nested: {
    WriteRequest: { fields: { timeseries: { rule: 'repeated', type: 'TimeSeries', id: 1 } } },
    TimeSeries: {
      fields: {
        labels: { rule: 'repeated', type: 'Label', id: 1 },
        samples: { rule: 'repeated', type: 'Sample', id: 2 },
      },
    },
    Label: { fields: { name: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    Sample: { fields: { value: { type: 'fixed64', id: 1 }, timestamp: { type: 'int64', id: 2 } } },
  },
};

/** Makes requests of Prometheus remote write 1.0: protobuf in the block format of Snappy. */
export class WriteRequests {
  readonly #type = protobuf.Root.fromJSON(descriptor).lookupType('WriteRequest');
  readonly #double = new DataView(new ArrayBuffer(8));

  /** @param at the time of all samples, in milliseconds since the epoch */
  encode(samples: readonly Sample[], at: number): EncodedRequest[] {
    const parts = Math.ceil(samples.length / mostSamples);
    return Array.from({ length: parts }, (_, part) =>
      samples.slice(part * mostSamples, (part + 1) * mostSamples),
    ).flatMap((some) => this.#encodePart(some, at));
  }

  #encodePart(samples: readonly Sample[], at: number): EncodedRequest[] {
    const timeseries = samples.map(({ labels, value }) => ({
      labels: labels.map(([name, text]) => ({ name, value: text })),
      samples: [{ value: value === 'stale' ? staleMarker : this.#bits(value), timestamp: at }],
    }));
    const encoded = this.#type.encode({ timeseries }).finish();
    if (encoded.length > largestRequest && samples.length > 1) {
      const middle = Math.ceil(samples.length / 2);
      return [samples.slice(0, middle), samples.slice(middle)].flatMap((half) => this.#encodePart(half, at));
    }
    // Of a Buffer the library would keep all that it took for the worst case.
    const plain = new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    return [{ samples: samples.length, body: snappy.compress(plain) }];
  }

  #bits(value: number): DoubleBits {
    this.#double.setFloat64(0, value);
    return { low: this.#double.getInt32(4), high: this.#double.getInt32(0), unsigned: true };
  }
}
