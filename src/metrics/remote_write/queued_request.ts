import { crc32 } from 'node:zlib';

/** A request that waits; its file is named after all that there is to know of it. */
export interface QueuedRequest {
  /** Rises from one to the next. */
  readonly number: number;
  /** The time of its samples, in milliseconds since the epoch. */
  readonly at: number;
  readonly samples: number;
  /** Of the body, in bytes. */
  readonly size: number;
  /** CRC-32 of the body: a power cut may leave a file that is not whole. */
  readonly checksum: number;
}

const namePattern = /^(\d{16})-(\d{1,14})-(\d{1,7})-(\d{1,8})-([0-9a-f]{8})\.snappy$/;
/** What a file takes on the disk is a multiple of this, in bytes. */
const block = 4_096;

/** Names sort as the requests were made. */
export function fileName({ number, at, samples, size, checksum }: QueuedRequest): string {
  const digits = checksum.toString(16).padStart(8, '0');
  return `${String(number).padStart(16, '0')}-${at}-${samples}-${size}-${digits}.snappy`;
}

/** null where the name is not one of ours. */
export function readFileName(name: string): QueuedRequest | null {
  const [, number, at, samples, size, checksum] = namePattern.exec(name) ?? [];
  if (checksum === undefined) return null;
  return {
    number: Number(number),
    at: Number(at),
    samples: Number(samples),
    size: Number(size),
    checksum: Number.parseInt(checksum, 16),
  };
}

/** Whether this is the body that the request was made with. */
export function isWhole({ size, checksum }: QueuedRequest, body: Uint8Array): boolean {
  return body.length === size && crc32(body) === checksum;
}

/** What a request takes on the disk, in bytes. */
export function sizeOnDisk({ size }: QueuedRequest): number {
  return Math.ceil(size / block) * block;
}
