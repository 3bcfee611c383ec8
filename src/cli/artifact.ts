import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { Upload } from './client.ts';
import { sizeText } from './format.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

/** An archive on this host, as it is sent. */
export interface LocalArtifact {
  readonly file: string;
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** Reads an archive once, for what it must be when it has arrived. Throws `usage` where it is no file. */
export async function readArtifact(file: string): Promise<LocalArtifact> {
  try {
    const found = await stat(file);
    if (found.isDirectory())
      throw new DavitError('usage', `${file} is a directory; pack it: tar czf build.tar.gz -C ${file} .`);
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of createReadStream(file)) {
      size += chunk.length;
      hash.update(chunk);
    }
    return { file, sha256: hash.digest('hex'), size };
  } catch (cause) {
    if (cause instanceof DavitError) throw cause;
    throw new DavitError('usage', `${file} cannot be read: ${errorMessage(cause)}`, { cause });
  }
}

/** A form (RFC 7578) with an archive and the fields of a spec; how far it has come is shown while somebody looks. */
export function artifactForm({ file, size }: LocalArtifact, spec: unknown, terminal: Terminal): Upload {
  const boundary = `davit-${randomUUID()}`;
  const part = (disposition: string, type: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n`;
  const head = Buffer.from(
    `${part('name="spec"', 'application/json')}${JSON.stringify(spec)}\r\n` +
      part('name="artifact"; filename="artifact"', 'application/octet-stream'),
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    length: head.length + size + tail.length,
    open: () =>
      Readable.from(
        (async function* () {
          yield head;
          yield* shown(file, size, terminal);
          yield tail;
        })(),
        { objectMode: false },
      ),
  };
}

/** The content of a file; one that grew meanwhile is cut, and the agent finds out that it is another one. */
async function* shown(file: string, size: number, terminal: Terminal): AsyncGenerator<Buffer> {
  const name = safeText(basename(file));
  let sent = 0;
  try {
    if (size === 0) return;
    for await (const chunk of createReadStream(file, { end: size - 1, highWaterMark: 262_144 })) {
      terminal.progress(`${name}: ${Math.floor((sent / size) * 100)} % of ${sizeText(size)}`);
      sent += chunk.length;
      yield chunk;
    }
    terminal.progress(`${name}: ${sizeText(size)} sent; deploying`);
  } catch (error) {
    terminal.progress(null);
    throw error;
  }
}
