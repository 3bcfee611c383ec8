/** The messages of grpc.health.v1 (github.com/grpc/grpc/blob/master/doc/health-checking.md), each one field long. */

/** What a server can say of a service. */
const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** How long the head of a message is: whether it is compressed, and its length. */
const headLength = 5;

/** A HealthCheckRequest as it is sent: `string service = 1`. */
export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  // The default of a field is not sent.
  const message = name.length === 0 ? name : Buffer.concat([Buffer.of(0x0a), varint(name.length), name]);
  const head = Buffer.alloc(headLength);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The status in a HealthCheckResponse, `ServingStatus status = 1`; null when it is none. */
export function decodeResponse(bytes: Buffer): string | null {
  if (bytes.length < headLength || bytes[0] !== 0) return null;
  const message = bytes.subarray(headLength);
  if (message.length !== bytes.readUInt32BE(1)) return null;
  const number = message.length === 0 ? 0 : readStatus(message);
  return number === null ? null : (servingStatuses[number] ?? `status ${number}`);
}

/** Fields that a later version may have are passed over. */
function readStatus(message: Buffer): number | null {
  let status = 0;
  for (let at = 0; at < message.length; ) {
    const tag = readVarint(message, at);
    const value = tag && readVarint(message, tag.end);
    if (!tag || !value) return null;
    const kind = tag.value & 7;
    if (tag.value === 0x08) status = value.value;
    if (kind === 0) at = value.end;
    else if (kind === 2) at = value.end + value.value;
    else if (kind === 1 || kind === 5) at = tag.end + (kind === 1 ? 8 : 4);
    else return null;
    if (at > message.length) return null;
  }
  return status;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function readVarint(bytes: Buffer, begin: number): { value: number; end: number } | null {
  let value = 0;
  for (let at = begin; at < bytes.length && at < begin + 10; at++) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * (at - begin));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return null;
}
