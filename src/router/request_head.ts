import type { IncomingMessage } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http2';
import { matchPath, withoutDots } from '../routing/path.ts';
import { type Fields, membersOf, valuesOf, without } from './fields.ts';

/** What stands in a request before its body, checked: every server behind this one reads it in the same way. */
export interface RequestHead {
  readonly version: '1.0' | '1.1' | '2';
  readonly method: string;
  /** As the request names it, with its port if there is one. Empty: an HTTP/1.0 request that names none. */
  readonly authority: string;
  /** In lower case, without port and final dot. */
  readonly host: string;
  /** As it came, but without dot segments; begins with a slash, or is `*`. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  /** As they came, without those of HTTP/2 that begin with a colon. */
  readonly fields: Fields;
}

/** Why a request is not passed on. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
}

/** A request target as it may stand in a request line: no control characters, no space, no fragment. */
const targetForm = /^[\x21\x22\x24-\x7e\x80-\xff]+$/;
const absoluteForm = /^https?:\/\/([^/?#]*)([/?].*)?$/i;
/** A name, its final dot, or an IPv6 address in brackets; then the port. No user, and nothing that no host name has. */
const authorityForm = /^([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::(\d{0,5}))?$/;

export const tooLarge: Refusal = { status: 431, message: 'the header of the request is too large' };
export const noConnect: Refusal = { status: 405, message: 'CONNECT is not supported' };
const bad = (message: string): Refusal => ({ status: 400, message });

/** Reads the head of an HTTP/1 request. RFC 9112, 3.2, on targets and Host, and 6, on what says how long the body is. */
export function readHttp1Head(request: IncomingMessage): RequestHead | Refusal {
  const { method = '', url = '', rawHeaders: fields, httpVersion } = request;
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    return { status: 505, message: 'this version of HTTP is not supported' };
  if (method === 'CONNECT') return noConnect;
  const hosts = valuesOf(fields, 'host');
  if (hosts.length > 1) return bad('the request has more than one Host header');
  if (hosts.length === 0 && httpVersion === '1.1') return bad('the request has no Host header');
  const framing = framingProblem(fields, httpVersion);
  if (framing !== null) return framing;
  return headOf(httpVersion, method, url, hosts[0] ?? '', fields);
}

/** Reads the head of an HTTP/2 request, whose framing and fields of the connection nghttp2 has checked. RFC 9113, 8.3. */
export function readHttp2Head(headers: IncomingHttpHeaders, raw: Fields): RequestHead | Refusal {
  const fields = withoutPseudo(raw);
  const method = String(headers[':method'] ?? '');
  if (method === 'CONNECT' && headers[':protocol'] === undefined) return noConnect;
  const authority = headers[':authority'];
  const hosts = valuesOf(fields, 'host');
  if (hosts.length > 1) return bad('the request has more than one Host header');
  if (authority !== undefined && hosts[0] !== undefined && !isSame(hosts[0], authority))
    return bad('the Host header and :authority differ');
  const host = authority ?? hosts[0];
  if (host === undefined) return bad('the request names no host');
  return headOf('2', method, String(headers[':path'] ?? ''), host, fields);
}

function headOf(
  version: RequestHead['version'],
  method: string,
  target: string,
  host: string,
  fields: Fields,
): RequestHead | Refusal {
  if (!targetForm.test(target)) return bad('the target of the request is not well-formed');
  const [, named, rest] = (version !== '2' && absoluteForm.exec(target)) || [];
  // The target wins over the Host header (RFC 9112, 3.2.2).
  const authority = named ?? host;
  const name = authority === '' && version === '1.0' && named === undefined ? '' : nameOf(authority);
  if (name === null) return bad('the host of the request is not well-formed');
  const local = named === undefined ? target : (rest ?? '/').replace(/^\?/, '/?');
  if (!local.startsWith('/') && !(local === '*' && method === 'OPTIONS'))
    return bad('the target of the request must begin with a slash');
  const mark = local.indexOf('?');
  const path = mark === -1 ? local : local.slice(0, mark);
  // What servers read in different ways could get around a rule that keeps clients from a path.
  if (path !== '*' && matchPath(path) === null) return bad('the path of the request is ambiguous');
  return {
    version,
    method,
    authority,
    host: name,
    path: path === '*' ? path : withoutDots(path),
    query: mark === -1 ? '' : local.slice(mark + 1),
    fields,
  };
}

/** Where two servers could see the end of the body in different places, there is no body. */
function framingProblem(fields: Fields, version: string): Refusal | null {
  const codings = valuesOf(fields, 'transfer-encoding');
  const lengths = valuesOf(fields, 'content-length');
  if (lengths.length > 1 || (lengths[0] !== undefined && !/^\d{1,15}$/.test(lengths[0])))
    return bad('the Content-Length is not well-formed');
  if (codings.length === 0) return null;
  if (version === '1.0') return bad('an HTTP/1.0 request must have no Transfer-Encoding');
  if (lengths.length > 0) return bad('the request has both Content-Length and Transfer-Encoding');
  if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked')
    return { status: 501, message: 'only chunked is supported as Transfer-Encoding' };
  return null;
}

/** The name of a host without its port, in its one usual form. null: it is none. */
function nameOf(authority: string): string | null {
  const [, name, port] = authorityForm.exec(authority) ?? [];
  if (name === undefined || authority.length > 261 || Number(port ?? 0) > 65_535) return null;
  const plain = name.toLowerCase().replace(/\.$/, '');
  return plain === '' ? null : plain;
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function withoutPseudo(raw: Fields): string[] {
  const fields: string[] = [];
  for (let at = 0; at < raw.length; at += 2)
    if (!(raw[at] as string).startsWith(':')) fields.push(raw[at] as string, raw[at + 1] as string);
  return joinedCookies(fields);
}

/** HTTP/2 may send a cookie in pieces, which HTTP/1 must not (RFC 9113, 8.2.3). */
function joinedCookies(fields: Fields): string[] {
  const cookies = valuesOf(fields, 'cookie');
  if (cookies.length < 2) return [...fields];
  return [...without('cookie', fields), 'cookie', cookies.join('; ')];
}

/** Whether a request asks to be told to go on before it sends its body (RFC 9110, 10.1.1). */
export function expectsContinue({ version, fields }: Pick<RequestHead, 'version' | 'fields'>): boolean {
  return version !== '1.0' && membersOf(fields, 'expect').includes('100-continue');
}
