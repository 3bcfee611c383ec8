import { sessionCookiePrefix } from '../contract/sessions.ts';
import { canonicalAddress } from '../lib/addresses.ts';
import type { ClientConnection } from './client_connection.ts';
import { endToEnd, type Fields, membersOf, valuesOf } from './fields.ts';

/** Where a request comes from and what it was at first, as far as that can be believed. */
export interface Origin {
  /** The canonical address of the client: the peer, or what stands before the last trusted proxy. */
  readonly client: string;
  /** From the client on, the addresses of everyone up to the peer of this router. */
  readonly chain: readonly string[];
  readonly proto: 'http' | 'https';
  /** What the client asked for as host, with its port if it named one; empty where it named none. */
  readonly host: string;
  readonly port: number;
}

type Peer = Pick<ClientConnection, 'peer' | 'is_trusted' | 'is_tls' | 'local_port'>;

/** More hops than any path has; what stands before them does not count. */
const mostHops = 32;
const validHost = /^[A-Za-z0-9._:[\]-]{1,255}$/;

/**
 * Works out the origin of a request. What X-Forwarded-* and Forwarded say counts only from a trusted proxy, and of their
 * addresses only the nearest one that is no trusted proxy, with those after it: what stands further left may be the
 * invention of the client.
 * @param host as the request names it
 */
export function originOf(
  fields: Fields,
  { peer, is_trusted, is_tls, local_port }: Peer,
  host: string,
  isTrusted: (address: string) => boolean,
): Origin {
  const proto = is_tls ? 'https' : 'http';
  if (!is_trusted) return { client: peer, chain: [peer], proto, host, port: local_port };
  const chain = believed([...claimedAddresses(fields), peer], isTrusted);
  return {
    client: chain[0] as string,
    chain,
    proto: claimedProto(fields) ?? proto,
    host: lastOf(fields, 'x-forwarded-host', validHost) ?? host,
    port: Number(lastOf(fields, 'x-forwarded-port', /^\d{1,5}$/) ?? local_port),
  };
}

/**
 * The fields of a request as an instance gets them: those of this hop are gone, and what says where it comes from is
 * written anew. `Via` is not added, as other routers of this kind do: some servers compress no answer to what has it.
 * @param keepForwarded whether other X-Forwarded-* fields stay, such as X-Forwarded-Prefix: those of trusted proxies
 */
export function forwardedFields(
  fields: Fields,
  origin: Origin,
  host: string,
  keepForwarded: boolean,
): string[] {
  const kept = withoutSessions(endToEnd(fields, (name) => isReplaced(name, keepForwarded)));
  if (membersOf(fields, 'te').includes('trailers')) kept.push('TE', 'trailers');
  kept.push('Host', host, 'X-Forwarded-For', origin.chain.join(', '));
  kept.push('X-Forwarded-Proto', origin.proto, 'X-Forwarded-Port', String(origin.port));
  if (origin.host !== '') kept.push('X-Forwarded-Host', origin.host);
  kept.push('Forwarded', forwardedElement(origin));
  return kept;
}

/** The sessions of people with the agent are no service's business, though browsers send their cookies to every port. */
function withoutSessions(fields: string[]): string[] {
  if (!fields.some((text) => text.includes(sessionCookiePrefix))) return fields;
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value] = [fields[at] as string, fields[at + 1] as string];
    const left = name.toLowerCase() === 'cookie' ? withoutSession(value) : value;
    if (left !== null) kept.push(name, left);
  }
  return kept;
}

const isSession = new RegExp(`^\\s*(?:__Host-)?${sessionCookiePrefix}`);

/** Null where no cookie is left. */
function withoutSession(cookies: string): string | null {
  const all = cookies.split(';');
  const left = all.filter((pair) => !isSession.test(pair));
  if (left.length === all.length) return cookies;
  return left.length === 0 ? null : left.join(';').trim();
}

const rebuilt = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
]);

/** An underscore counts as a hyphen: many frameworks read both as the same field, and would take the forged one. */
function isReplaced(name: string, keepForwarded: boolean): boolean {
  if (name === 'host' || name === 'expect') return true;
  if (name.charCodeAt(0) !== 0x66 && name.charCodeAt(0) !== 0x78) return false;
  const plain = name.includes('_') ? name.replaceAll('_', '-') : name;
  if (rebuilt.has(plain)) return true;
  return !keepForwarded && (plain.startsWith('x-forwarded-') || plain === 'x-real-ip');
}

/** From the right, up to and with the first that is no trusted proxy. What is no address ends it, and does not count. */
function believed(claimed: readonly (string | null)[], isTrusted: (address: string) => boolean): string[] {
  const chain: string[] = [];
  for (const address of claimed.slice(-mostHops).reverse()) {
    if (address === null) break;
    chain.unshift(address);
    if (!isTrusted(address)) break;
  }
  return chain;
}

/** By X-Forwarded-For; only where there is none by Forwarded, as a proxy that writes the one often passes on the other. */
function claimedAddresses(fields: Fields): (string | null)[] {
  const listed = valuesOf(fields, 'x-forwarded-for');
  if (listed.length > 0)
    return listed
      .flatMap((value) => value.split(','))
      .map((hop) => canonicalAddress(withoutPort(hop.trim())));
  return forwardedElements(fields).map((element) => {
    const [, quoted, plain] = /(?:^|;)\s*for=(?:"([^"]*)"|([^;"\s]*))/i.exec(element) ?? [];
    return canonicalAddress(withoutPort(quoted ?? plain ?? ''));
  });
}

function claimedProto(fields: Fields): 'http' | 'https' | undefined {
  const direct = lastOf(fields, 'x-forwarded-proto', /^https?$/i);
  const [, element] =
    /(?:^|;)\s*proto="?(https?)"?\s*(?:;|$)/i.exec(forwardedElements(fields).at(-1) ?? '') ?? [];
  return (direct ?? element)?.toLowerCase() as 'http' | 'https' | undefined;
}

function forwardedElements(fields: Fields): string[] {
  return valuesOf(fields, 'forwarded').flatMap((value) => value.split(','));
}

/** The last of a list is what the nearest proxy said. */
function lastOf(fields: Fields, name: string, form: RegExp): string | undefined {
  const last = valuesOf(fields, name).at(-1)?.split(',').at(-1)?.trim();
  return last !== undefined && form.test(last) ? last : undefined;
}

/** Some proxies write the port too. */
function withoutPort(hop: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/.exec(hop) ?? [];
  return bracketed ?? plain ?? hop;
}

/** RFC 7239: what holds a colon is quoted, and an IPv6 address stands in brackets. */
function forwardedElement({ chain, host, proto }: Origin): string {
  const named = chain.map((address) => `for=${address.includes(':') ? `"[${address}]"` : address}`);
  const first = `${named[0]}${host === '' ? '' : `;host=${/^[\w.-]+$/.test(host) ? host : `"${host}"`}`};proto=${proto}`;
  return [first, ...named.slice(1)].join(', ');
}
