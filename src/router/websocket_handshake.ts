import { createHash } from 'node:crypto';
import { endToEnd, type Fields, membersOf, valuesOf } from './fields.ts';
import type { Refusal, RequestHead } from './request_head.ts';

/** An answer by which an instance takes the WebSocket connection. */
export interface Acceptance {
  readonly reason: string;
  /** As they came. */
  readonly fields: Fields;
}

const protocol = 'websocket';
/** RFC 6455, section 1.3. */
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Visible characters, and bytes beyond ASCII as they are sent by some: nothing that could end the line. */
const target = /^\/[\x21-\x7e\x80-\xff]*$/;
const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const statusLine = /^HTTP\/1\.1 101(?: ([\t\x20-\x7e\x80-\xff]*))?$/;

const bad = (message: string): Refusal => ({ status: 400, message });

/** Whether a request asks for a WebSocket connection (RFC 6455, section 4.1): any other upgrade is none that may be passed on. */
function asksForWebSocket(fields: Fields): boolean {
  return (
    membersOf(fields, 'connection').includes('upgrade') && membersOf(fields, 'upgrade').includes(protocol)
  );
}

/** What is wrong with a request for a WebSocket connection over HTTP/1.1; null: nothing that the instance would not say itself. */
export function faultOfRequest({ version, method, fields }: RequestHead): Refusal | null {
  if (method !== 'GET' || version !== '1.1')
    return bad('a WebSocket connection is asked for by GET and HTTP/1.1');
  if (!asksForWebSocket(fields) || membersOf(fields, 'upgrade').length !== 1)
    return bad('the only upgrade that is supported is the one to websocket');
  if (['content-length', 'transfer-encoding', 'expect'].some((name) => valuesOf(fields, name).length > 0))
    return bad('a request for a WebSocket connection must have no body');
  if (valuesOf(fields, 'sec-websocket-key').length !== 1)
    return bad('the request must have one Sec-WebSocket-Key');
  return null;
}

/**
 * The head of the request that an instance gets.
 * @param path with the query
 * @param fields those that go on to the next hop
 * @returns null where something in it cannot stand in a head
 */
export function requestHead(path: string, fields: Fields): Buffer | null {
  if (!target.test(path)) return null;
  return head(`GET ${path} HTTP/1.1`, [...fields, 'Connection', 'Upgrade', 'Upgrade', protocol]);
}

/**
 * The answer to a client of HTTP/1.1.
 * @param added more fields
 */
export function acceptanceHead({ reason, fields }: Acceptance, added: Fields): Buffer | null {
  const line = `HTTP/1.1 101 ${reason}`;
  return head(line, ['Upgrade', protocol, 'Connection', 'Upgrade', ...acceptanceFields(fields), ...added]);
}

/** The fields of an acceptance that go on to the client. What a body would have does not: there is none. */
export function acceptanceFields(fields: Fields): string[] {
  return endToEnd(fields, (name) => name === 'content-length' || name === 'trailer');
}

/**
 * Reads the head of an answer with status 101, up to and with its empty line.
 * @param key the Sec-WebSocket-Key of the request
 * @returns null when it does not accept this very request, or is no strict HTTP/1.1
 */
export function readAcceptance(text: string, key: string): Acceptance | null {
  const [first = '', ...lines] = text.slice(0, -4).split('\r\n');
  const matched = statusLine.exec(first);
  if (matched === null) return null;
  const fields: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1)];
    if (colon < 0 || !fieldName.test(name) || !fieldValue.test(value)) return null;
    fields.push(name, trimmed(value));
  }
  return isAcceptance(fields, key) ? { reason: matched[1] ?? '', fields } : null;
}

function isAcceptance(fields: Fields, key: string): boolean {
  const accepts = valuesOf(fields, 'sec-websocket-accept');
  return (
    membersOf(fields, 'connection').includes('upgrade') &&
    membersOf(fields, 'upgrade').join() === protocol &&
    accepts.length === 1 &&
    accepts[0] === acceptOf(key)
  );
}

/** Without the blanks around it (RFC 9110, section 5.5): no others, and in one pass. */
function trimmed(value: string): string {
  let [start, end] = [0, value.length];
  while (start < end && isBlank(value[start])) start++;
  while (start < end && isBlank(value[end - 1])) end--;
  return value.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

/** The Sec-WebSocket-Accept that answers a key. */
export function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + guid, 'latin1')
    .digest('base64');
}

function head(line: string, fields: Fields): Buffer | null {
  let text = `${line}\r\n`;
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value] = [fields[at] as string, fields[at + 1] as string];
    if (!fieldName.test(name) || !fieldValue.test(value)) return null;
    text += `${name}: ${value}\r\n`;
  }
  return Buffer.from(`${text}\r\n`, 'latin1');
}
