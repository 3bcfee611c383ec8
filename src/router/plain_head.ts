import { sessionCookiePrefix } from '../contract/sessions.ts';
import { matchPath, withoutDots } from '../routing/path.ts';
import {
  beginsWith,
  carriageReturn,
  colon,
  isWord,
  lineFeed,
  octetTable,
  space,
  WordTable,
} from './octets.ts';

/** The head of a request that is provably plain: there is one way to read it, and no body follows. */
export interface PlainHead extends PlainFields {
  readonly method: 'GET' | 'HEAD';
  /** As it came: begins with a slash. */
  readonly target: string;
  /** What of the target is before the question mark. */
  readonly path: string;
  /** What is after it; empty where there is none. */
  readonly query: string;
  /** In bytes, with the empty line at its end. */
  readonly length: number;
  /** What it was read from, and where its header lines begin and end there. */
  readonly bytes: Buffer;
  readonly lines_start: number;
  readonly lines_end: number;
}

interface PlainFields {
  /** The value of its one Host header, as it came. */
  readonly authority: string;
  /** Whether the client wants the connection to be closed after the answer. */
  readonly closes: boolean;
  /** The header lines as they came, each with its end, without Host, Connection and those that tell of proxies. */
  readonly lines: string;
  /** The lines that tell of proxies, as they came; empty where there are none. */
  readonly proxy_lines: string;
}

type Meaning = 'host' | 'connection' | 'proxies' | 'not_plain';

/**
 * What of a request is more than passed on. `not_plain` are the headers by which it may have a body or be more than a
 * request, and those about this one connection: to judge them takes more than this grammar.
 */
const meanings = new WordTable<Meaning>({
  host: 'host',
  connection: 'connection',
  forwarded: 'proxies',
  'x-real-ip': 'proxies',
  'content-length': 'not_plain',
  'transfer-encoding': 'not_plain',
  expect: 'not_plain',
  upgrade: 'not_plain',
  te: 'not_plain',
  trailer: 'not_plain',
  'keep-alive': 'not_plain',
  'proxy-connection': 'not_plain',
  'proxy-authenticate': 'not_plain',
  'proxy-authentication-info': 'not_plain',
  'proxy-authorization': 'not_plain',
  'http2-settings': 'not_plain',
});
/** All that begin so tell of proxies. */
const proxyPrefix = 'x-forwarded-';

/** Of a target in origin-form (RFC 9112, 3.2.1): what RFC 3986 allows, and what browsers leave as it is. */
const isTarget = octetTable(/[A-Za-z0-9\-._~!$&'()*+,;=:@/?%[\]|]/);
/** Many servers take names that differ in `-`, `_` and `.` for the same, so only one of these is plain. */
const isName = octetTable(/[A-Za-z0-9-]/);
/** Visible ASCII and the space: neither tabs nor what is beyond ASCII. */
const isValue = octetTable(/[ -~]/);
const versionAndEnd = Buffer.from(' HTTP/1.1\r\n', 'latin1');
const headEnd = '\r\n\r\n';

/**
 * Reads the head that begins at `start`. `incomplete`: with more bytes it may be plain; `not_plain`: with none. Where RFC
 * 9112 leaves a choice, only the usual one is plain: `Name: value` with one space, and none at the end.
 */
export function readPlainHead(bytes: Buffer, start: number): PlainHead | 'incomplete' | 'not_plain' {
  const method = readMethod(bytes, start);
  if (method === null) return 'not_plain';
  const last = bytes.indexOf(headEnd, start, 'latin1');
  if (last === -1) return 'incomplete';
  const targetStart = start + method.length + 1;
  const targetEnd = endOfTarget(bytes, targetStart);
  if (targetEnd === -1) return 'not_plain';
  const lines_start = targetEnd + versionAndEnd.length;
  const lines_end = last + 2;
  const fields = readFields(bytes, lines_start, lines_end);
  // What is taken out of a request is taken out where all of it is read.
  if (fields === null || fields.lines.includes(sessionCookiePrefix)) return 'not_plain';
  const target = bytes.toString('latin1', targetStart, targetEnd);
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  // Whether a question mark stays that nothing follows is a matter of taste.
  if (mark === target.length - 1 || !isPlainPath(path)) return 'not_plain';
  return {
    method,
    target,
    path,
    query: mark === -1 ? '' : target.slice(mark + 1),
    authority: fields.authority,
    closes: fields.closes,
    lines: fields.lines,
    proxy_lines: fields.proxy_lines,
    length: lines_end + 2 - start,
    bytes,
    lines_start,
    lines_end,
  };
}

/** A name, its final dot, or an IPv6 address in brackets; then the port. */
const authorityForm = /^(?:([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\.?|(\[[0-9A-Fa-f:.]+\]))(?::(\d{1,5}))?$/;

/** The host of an authority in lower case, without port and final dot; null: it is not plain. */
export function plainHost(authority: string): string | null {
  const [, name, address, port] = authorityForm.exec(authority) ?? [];
  if (authority.length > 255 || Number(port ?? 0) > 65_535) return null;
  return (name ?? address)?.toLowerCase() ?? null;
}

/** The values of a header among header lines, by its name in lower case; several are joined as RFC 9110, 5.3 says. */
export function findHeader(lines: string, name: string): string | undefined {
  let found: string | undefined;
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf('\r\n', start);
    const nameEnd = start + name.length;
    if (lines.charCodeAt(nameEnd) === colon && lines.slice(start, nameEnd).toLowerCase() === name) {
      const value = lines.slice(nameEnd + 2, end);
      found = found === undefined ? value : `${found}${name === 'cookie' ? '; ' : ', '}${value}`;
    }
    start = end + 2;
  }
  return found;
}

/** Whether every server takes it for the same path, and it is to be passed on as it is. */
function isPlainPath(path: string): boolean {
  if (!path.includes('%') && !path.includes('/.')) return true;
  return matchPath(path) !== null && withoutDots(path) === path;
}

/** Null where nothing that is plain can begin with these bytes. */
function readMethod(bytes: Buffer, start: number): PlainHead['method'] | null {
  const length = bytes.length - start;
  if (bytes[start] === 0x47) return isStart(bytes, start, length, 'GET /') ? 'GET' : null;
  return isStart(bytes, start, length, 'HEAD /') ? 'HEAD' : null;
}

function isStart(bytes: Buffer, start: number, length: number, text: string): boolean {
  for (let index = 0; index < text.length && index < length; index++)
    if (bytes[start + index] !== text.charCodeAt(index)) return false;
  return true;
}

/** Where the target ends; -1 where it, or the rest of its line, is not plain. */
function endOfTarget(bytes: Buffer, start: number): number {
  let at = start;
  while (isTarget[bytes[at] as number] === 1) at++;
  for (let index = 0; index < versionAndEnd.length; index++)
    if (bytes[at + index] !== versionAndEnd[index]) return -1;
  return at;
}

/** Reads the header lines from `first` to `end`, where an empty line follows. Null where one is not plain. */
function readFields(bytes: Buffer, first: number, end: number): PlainFields | null {
  let authority: string | null = null;
  let connection: 'close' | 'keep-alive' | null = null;
  let lines = '';
  let proxyLines = '';
  /** Where the lines begin that are passed on and not yet in `lines`. */
  let run = first;
  for (let start = first; start < end; ) {
    const nameEnd = endOfName(bytes, start);
    const valueEnd = nameEnd === -1 ? -1 : endOfValue(bytes, nameEnd + 2);
    if (valueEnd === -1) return null;
    const next = valueEnd + 2;
    const meaning = meaningOf(bytes, start, nameEnd);
    if (meaning === 'not_plain') return null;
    if (meaning !== undefined) {
      if (start > run) lines += bytes.toString('latin1', run, start);
      run = next;
      if (meaning === 'proxies') proxyLines += bytes.toString('latin1', start, next);
      else if (meaning === 'host') {
        if (authority !== null) return null;
        authority = bytes.toString('latin1', nameEnd + 2, valueEnd);
      } else {
        if (connection !== null) return null;
        connection = readConnection(bytes, nameEnd + 2, valueEnd);
        if (connection === null) return null;
      }
    }
    start = next;
  }
  if (authority === null) return null;
  if (end > run) lines += bytes.toString('latin1', run, end);
  return { authority, closes: connection === 'close', lines, proxy_lines: proxyLines };
}

/** Where the name ends that begins there; -1 where none does, or what follows is not a colon and a space. */
function endOfName(bytes: Buffer, start: number): number {
  let at = start;
  while (isName[bytes[at] as number] === 1) at++;
  return at > start && bytes[at] === colon && bytes[at + 1] === space ? at : -1;
}

/** Where the value ends that begins there; -1 where none does, it has spaces around it, or the line does not end with it. */
function endOfValue(bytes: Buffer, start: number): number {
  let at = start;
  while (isValue[bytes[at] as number] === 1) at++;
  const isPlain =
    at > start &&
    bytes[start] !== space &&
    bytes[at - 1] !== space &&
    bytes[at] === carriageReturn &&
    bytes[at + 1] === lineFeed;
  return isPlain ? at : -1;
}

function meaningOf(bytes: Buffer, start: number, end: number): Meaning | undefined {
  const meaning = meanings.find(bytes, start, end);
  if (meaning !== undefined || end - start <= proxyPrefix.length) return meaning;
  return beginsWith(bytes, start, proxyPrefix) ? 'proxies' : undefined;
}

function readConnection(bytes: Buffer, start: number, end: number): 'close' | 'keep-alive' | null {
  if (isWord(bytes, start, end, 'keep-alive')) return 'keep-alive';
  return isWord(bytes, start, end, 'close') ? 'close' : null;
}
