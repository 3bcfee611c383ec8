import { BlockList, isIP, SocketAddress } from 'node:net';

const mappedPrefix = '::ffff:';

/**
 * An IP address in its one usual form: IPv6 shortened, in lower case and without a zone, and IPv4 as IPv4
 * even where it came as `::ffff:192.0.2.1`. null: it is no address.
 */
export function canonicalAddress(text: string): string | null {
  const family = isIP(text);
  if (family === 0) return null;
  if (family === 4) return text;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  return address.startsWith(mappedPrefix) && address.includes('.')
    ? address.slice(mappedPrefix.length)
    : address;
}

/** The network of a canonical address, by its first address: a /24 of IPv4, a /48 of IPv6. */
export function networkOf(address: string): string {
  if (isIP(address) === 4) return address.replace(/\d+$/, '0');
  const [before = ''] = address.split('::');
  const groups = before === '' ? [] : before.split(':');
  const [first = '0', second = '0', third = '0'] = groups;
  return canonicalAddress(`${first}:${second}:${third}::`) ?? '::';
}

/** The two parts of `host:port`; an IPv6 address stands in brackets there, and without them here. */
export function splitHostPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

/** Whether `text` is a network such as `10.0.0.0/8` or `2001:db8::/32`, or a single address. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== null;
}

/** A function that says whether a canonical address lies in one of the networks. Throws RangeError on what is no network. */
export function networkMatcher(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (network === null) throw new RangeError(`"${text}" is not a network such as 10.0.0.0/8`);
    list.addSubnet(network.address, network.prefix, network.family);
  }
  return (address) => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}

interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

function parseNetwork(text: string): Network | null {
  const [, address = '', digits] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return null;
  const longest = version === 4 ? 32 : 128;
  const prefix = digits === undefined ? longest : Number(digits);
  return prefix > longest ? null : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}
