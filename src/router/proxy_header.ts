import type { Socket } from 'node:net';
import { canonicalAddress } from '../lib/addresses.ts';

/** What a PROXY protocol header says of a connection. */
export interface ProxyHeader {
  /** How many bytes it takes. */
  readonly length: number;
  /** Where the connection comes from. null: from the proxy itself, such as when that looks whether we are there. */
  readonly source: { readonly address: string; readonly port: number } | null;
  /** The port that the client has connected to. null: the one it came in by. */
  readonly port: number | null;
}

/** More of it is to come, or it is none. */
export type NoHeader = 'incomplete' | 'malformed';

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const firstWord = Buffer.from('PROXY ', 'latin1');
/** Of version 1, with its line end. */
const longestLine = 107;
const fixedLength = 16;
/** Of version 2, after the fixed part: addresses, and what the proxy adds to them. */
const longestRest = 4_096;

const line = /^PROXY (?:UNKNOWN(?: .*)?|(TCP[46]) (\S+) (\S+) (\d{1,5}) (\d{1,5}))$/;

/** Reads a header of version 1 or 2 from the first bytes of a connection, by the specification of HAProxy. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | NoHeader {
  if (startsAs(bytes, signature)) return bytes.length < fixedLength ? 'incomplete' : readVersion2(bytes);
  return startsAs(bytes, firstWord) ? readVersion1(bytes) : 'malformed';
}

function startsAs(bytes: Buffer, wanted: Buffer): boolean {
  const length = Math.min(bytes.length, wanted.length);
  return bytes.compare(wanted, 0, length, 0, length) === 0;
}

function readVersion1(bytes: Buffer): ProxyHeader | NoHeader {
  const end = bytes.subarray(0, longestLine).indexOf('\r\n');
  if (end === -1) return bytes.length < longestLine ? 'incomplete' : 'malformed';
  const length = end + 2;
  const found = line.exec(bytes.toString('latin1', 0, end));
  if (found === null) return 'malformed';
  const [, family, source = '', target = '', sourcePort, targetPort] = found;
  if (family === undefined) return { length, source: null, port: null };
  const version = family === 'TCP4' ? 4 : 6;
  const address = addressOf(source, version);
  const ports = [Number(sourcePort), Number(targetPort)] as const;
  if (address === null || addressOf(target, version) === null || Math.max(...ports) > 65_535)
    return 'malformed';
  return { length, source: { address, port: ports[0] }, port: ports[1] };
}

function addressOf(text: string, version: 4 | 6): string | null {
  return text.includes(':') === (version === 6) ? canonicalAddress(text) : null;
}

function readVersion2(bytes: Buffer): ProxyHeader | NoHeader {
  const [version, command] = [bytes.readUInt8(12) >> 4, bytes.readUInt8(12) & 15];
  const rest = bytes.readUInt16BE(14);
  if (version !== 2 || command > 1 || rest > longestRest) return 'malformed';
  const length = fixedLength + rest;
  if (bytes.length < length) return 'incomplete';
  // LOCAL: whatever follows does not count.
  if (command === 0) return { length, source: null, port: null };
  return readAddresses(bytes.readUInt8(13), bytes.subarray(fixedLength, length), length);
}

function readAddresses(family: number, bytes: Buffer, length: number): ProxyHeader | NoHeader {
  const width = { 17: 4, 33: 16 }[family];
  // Of another transport, or unspecified: the proxy has no address to give.
  if (width === undefined) return { length, source: null, port: null };
  if (bytes.length < 2 * width + 4) return 'malformed';
  const address = canonicalAddress(textOf(bytes.subarray(0, width)));
  if (address === null) return 'malformed';
  const port = bytes.readUInt16BE(2 * width);
  return { length, source: { address, port }, port: bytes.readUInt16BE(2 * width + 2) };
}

function textOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  return Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16)).join(':');
}

/**
 * Reads the header off a connection; what came behind it is left on that. Calls back with null when there is none, when it
 * does not come within `timeout` milliseconds, or when the connection ends: then it is destroyed.
 */
export function takeProxyHeader(
  socket: Socket,
  timeout: number,
  done: (header: ProxyHeader | null) => void,
): void {
  let bytes = Buffer.alloc(0);
  const timer = setTimeout(() => finish(null), timeout);
  const finish = (header: ProxyHeader | null) => {
    clearTimeout(timer);
    socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
    if (header === null) socket.destroy();
    else if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
    done(header);
  };
  const onEnd = () => finish(null);
  const onReadable = () => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read())
      bytes = Buffer.concat([bytes, chunk]);
    const header = readProxyHeader(bytes);
    if (header === 'malformed') finish(null);
    else if (header !== 'incomplete') finish(header);
  };
  socket.on('readable', onReadable).once('end', onEnd).once('close', onEnd);
}
