import type { Outgoing, Render } from './outgoing.ts';

/** An HTTP body of lines. */
export interface BodyFormat {
  readonly contentType: string;
  readonly render: Render;
  readonly body: (lines: readonly Outgoing[]) => string;
}

/** An object a line (ndjson), with the names that Vector knows. Labels stand beside them; one named `host` takes the place of the host's name. */
export function jsonLines(host: string, labels: Readonly<Record<string, string>>): BodyFormat {
  return {
    contentType: 'application/x-ndjson',
    render: (service, { time, stream, line, level, release, instance, id, continues }) => {
      const fields = { service, instance, release, stream, level };
      const record = { timestamp: time, message: line, host, ...fields, ...labels, id, continues };
      const text = `${JSON.stringify(record)}\n`;
      return { text, stream: '', bytes: Buffer.byteLength(text) };
    },
    body: (lines) => lines.map(({ text }) => text).join(''),
  };
}
