import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Summaries, Summary } from './summary.ts';

/** How the rest of a chunk stands there. */
const asItIs = 0;
const deflated = 1;
/** What is packed is a few kilobytes at most: a large window would only cost time. */
const deflation = { level: 1, windowBits: 12, memLevel: 4 };
/** Bytes of one summary: a sum of 8 bytes and five words of 4. */
const summaryBytes = 28;

/** Values of one series at the ticks of a stretch; NaN: it had none. */
export function encodeValues(values: Float32Array): Uint8Array {
  return pack(byPlanes(bytesOf(values), 4));
}

export function decodeValues(chunk: Uint8Array): Float32Array {
  const bytes = fromPlanes(unpack(chunk), 4);
  return new Float32Array(bytes.buffer, 0, bytes.length / 4);
}

/** Times in milliseconds since the epoch. */
export function encodeTimes(times: readonly number[]): Uint8Array {
  return pack(byPlanes(bytesOf(Float64Array.from(times)), 8));
}

export function decodeTimes(packed: Uint8Array): Float64Array {
  const bytes = fromPlanes(unpack(packed), 8);
  return new Float64Array(bytes.buffer, 0, bytes.length / 8);
}

export function encodeSummaries(summaries: Summaries): Uint8Array {
  const sorted = [...summaries].sort(([a], [b]) => a - b);
  const count = sorted.length;
  const sums = new Float64Array(count);
  const words = new Uint32Array(5 * count);
  const floats = new Float32Array(words.buffer);
  let before = 0;
  for (const [index, [number, summary]] of sorted.entries()) {
    sums[index] = summary.sum;
    words[index] = number - before;
    words[count + index] = summary.count;
    floats[2 * count + index] = summary.min;
    floats[3 * count + index] = summary.max;
    floats[4 * count + index] = summary.last;
    before = number;
  }
  return pack(Buffer.concat([byPlanes(bytesOf(sums), 8), byPlanes(bytesOf(words), 4)]));
}

/** Calls `take` with each summary and the number of its step, the earliest first. */
export function decodeSummaries(chunk: Uint8Array, take: (number: number, summary: Summary) => void): void {
  const bytes = unpack(chunk);
  const count = Math.floor(bytes.length / summaryBytes);
  const sums = new Float64Array(fromPlanes(bytes.subarray(0, 8 * count), 8).buffer, 0, count);
  const words = new Uint32Array(fromPlanes(bytes.subarray(8 * count), 4).buffer, 0, 5 * count);
  const floats = new Float32Array(words.buffer);
  let number = 0;
  for (let index = 0; index < count; index++) {
    number += words[index] ?? 0;
    take(number, {
      count: words[count + index] ?? 0,
      sum: sums[index] ?? 0,
      min: floats[2 * count + index] ?? 0,
      max: floats[3 * count + index] ?? 0,
      last: floats[4 * count + index] ?? 0,
    });
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** First the first byte of every number, then the second of every one, and so on: those that are alike stand together. */
function byPlanes(bytes: Uint8Array, width: number): Uint8Array {
  const count = bytes.length / width;
  const planes = new Uint8Array(bytes.length);
  for (let plane = 0, to = 0; plane < width; plane++)
    for (let index = 0, from = plane; index < count; index++, from += width) planes[to++] = bytes[from] ?? 0;
  return planes;
}

function fromPlanes(planes: Uint8Array, width: number): Uint8Array<ArrayBuffer> {
  const count = Math.floor(planes.length / width);
  const bytes = new Uint8Array(count * width);
  for (let plane = 0, from = 0; plane < width; plane++)
    for (let index = 0, to = plane; index < count; index++, to += width) bytes[to] = planes[from++] ?? 0;
  return bytes;
}

function pack(bytes: Uint8Array): Uint8Array {
  const small = deflateRawSync(bytes, deflation);
  const isSmaller = small.length < bytes.length;
  return Buffer.concat([Buffer.of(isSmaller ? deflated : asItIs), isSmaller ? small : bytes]);
}

/** What is damaged holds nothing. */
function unpack(packed: Uint8Array): Uint8Array {
  const [form] = packed;
  if (form === asItIs) return packed.subarray(1);
  if (form !== deflated) return new Uint8Array();
  try {
    return inflateRawSync(packed.subarray(1));
  } catch {
    return new Uint8Array();
  }
}
