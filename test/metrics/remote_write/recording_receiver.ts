import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import protobuf from 'protobufjs';
import snappy from 'snappyjs';
import { until } from '../../helpers/system.ts';

/** As prometheus/prompb has it. */
const proto = `
  syntax = "proto3";
  package prometheus;
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
`;
const writeRequest = protobuf.parse(proto).root.lookupType('prometheus.WriteRequest');

export interface ReadSample {
  readonly name: string;
  /** In the order in which they came, without `__name__`. */
  readonly labels: Readonly<Record<string, string>>;
  /** In the order in which they came. */
  readonly label_names: readonly string[];
  readonly value: number;
  readonly at: number;
}

export interface ReadRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly samples: readonly ReadSample[];
}

/** Takes a body apart as a receiver does. Throws where it is not what the protocol says. */
export function readWriteRequest(body: Uint8Array): ReadSample[] {
  const plain = snappy.uncompress(new Uint8Array(body));
  const { timeseries } = writeRequest.toObject(writeRequest.decode(plain), {
    longs: Number,
    arrays: true,
    defaults: true,
  });
  return timeseries.flatMap(
    ({ labels, samples }: { labels: { name: string; value: string }[]; samples: Record<string, number>[] }) =>
      samples.map(({ value, timestamp }) => {
        const { __name__ = '', ...others } = Object.fromEntries(
          labels.map((label) => [label.name, label.value]),
        );
        return {
          name: __name__,
          labels: others,
          label_names: labels.map(({ name }) => name),
          value,
          at: timestamp,
        };
      }),
  );
}

/** A receiver of remote write that knows what it has taken. */
export interface RecordingReceiver extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** What it took, in the order in which it came. */
  readonly taken: readonly ReadRequest[];
  /** How many requests have come, whatever became of them. */
  readonly tries: number;
  /** Answers in place of 204, where it is set. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | null;
  /** The times of the samples of a name that were taken, in the order in which they came. */
  times(name: string): number[];
  until(what: string, fact: () => boolean): Promise<void>;
}

/** @param port where it was before, to be there again */
export async function startReceiver(port = 0): Promise<RecordingReceiver> {
  const taken: ReadRequest[] = [];
  let tries = 0;
  const server = createServer(async (request, response) => {
    tries += 1;
    if (receiver.answer) {
      receiver.answer(request, response);
      return;
    }
    const body = await buffer(request);
    taken.push({ headers: request.headers, body, samples: readWriteRequest(body) });
    response.writeHead(204).end();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const used = (server.address() as AddressInfo).port;
  const receiver: RecordingReceiver = {
    url: `http://127.0.0.1:${used}/api/v1/write`,
    port: used,
    taken,
    get tries() {
      return tries;
    },
    answer: null,
    times: (name) =>
      taken.flatMap(({ samples }) => samples.filter((sample) => sample.name === name).map(({ at }) => at)),
    until: (what, fact) => until(what, fact),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return receiver;
}
