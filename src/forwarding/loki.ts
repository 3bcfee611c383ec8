import type { FeedLine } from '../logs/log_feed.ts';
import type { BodyFormat } from './json_lines.ts';
import type { Outgoing } from './outgoing.ts';

const perMillisecond = 1_000_000n;
/** A time that is less than this before the one of the line before is raised to it; more than that, and the clock was set back. In nanoseconds. */
const raisedWithin = 1_000_000_000n;

/**
 * The body of Loki's push API: `{"streams":[{"stream":{labels},"values":[["<nanoseconds>","<line>"]]}]}`. A stream is what an
 * instance wrote to one of its outputs; its times never fall, unless the clock was set back.
 */
export function loki(host: string, labels: Readonly<Record<string, string>>): BodyFormat {
  return {
    contentType: 'application/json',
    render: (service, line) => {
      const { stream: output, instance } = line;
      const stream = JSON.stringify({ service, instance: String(instance), stream: output, host, ...labels });
      const text = JSON.stringify(line.line);
      return { text, stream, nanoseconds: nanosecondsOf(line), bytes: Buffer.byteLength(text) + 26 };
    },
    body: (lines) => {
      const streams = [...byStream(lines)];
      const texts = streams.map(([stream, its]) => `{"stream":${stream},"values":[${valuesOf(its)}]}`);
      return `{"streams":[${texts.join(',')}]}`;
    },
  };
}

function byStream(lines: readonly Outgoing[]): Map<string, Outgoing[]> {
  const streams = new Map<string, Outgoing[]>();
  for (const line of lines) {
    const known = streams.get(line.stream);
    if (known === undefined) streams.set(line.stream, [line]);
    else known.push(line);
  }
  return streams;
}

function valuesOf(lines: readonly Outgoing[]): string {
  let last = 0n;
  const values = lines.map(({ text, nanoseconds = 0n }) => {
    last = nanoseconds <= last && last - nanoseconds < raisedWithin ? last + 1n : nanoseconds;
    return `["${last}",${text}]`;
  });
  return values.join(',');
}

/**
 * Loki takes lines of one stream with the same text and the same time for one. So where a line stands makes its nanoseconds: it
 * differs from all others, and has the same time when it is sent once more.
 */
function nanosecondsOf({ time, id }: FeedLine): bigint {
  const end = Number(id.slice(id.lastIndexOf('.') + 1));
  return BigInt(Date.parse(time)) * perMillisecond + BigInt(end % 1_000_000);
}
