import type { Readable } from 'node:stream';

/** What is read and thrown away of a request that was answered before its end, in bytes, and for how long, in milliseconds. */
const mostBytes = 1_048_576;
const longest = 3_000;

/**
 * Reads on, and throws away, what a client is still sending after it was answered: if the connection were closed at once,
 * the answer would be lost to many clients. Calls back when that has ended, or has gone on for long enough.
 */
export function linger(source: Readable, done: () => void): void {
  let bytes = 0;
  const timer = setTimeout(() => stop(), longest);
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > mostBytes) stop();
  };
  const stop = () => {
    clearTimeout(timer);
    source.off('data', onData).off('end', stop).off('close', stop);
    done();
  };
  if (source.destroyed) stop();
  else source.on('data', onData).once('end', stop).once('close', stop).resume();
}
