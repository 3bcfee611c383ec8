import { lookup as resolveName } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { canonicalAddress, isNetwork, networkMatcher } from '../../lib/addresses.ts';
import { DavitError } from '../../lib/errors.ts';

interface TargetGuardOptions {
  /** Hosts, such as `hooks.example.org` or `*.example.org`, and networks, beside public addresses. */
  readonly allowed: readonly string[];
  /** On which ports the agent and its routers listen: nothing may lead there, whatever is allowed. */
  readonly ownPorts?: readonly number[];
  /** The addresses of this host. Default: those of its interfaces. */
  readonly ownAddresses?: () => readonly string[];
  /** Default: as the system resolves names. */
  readonly resolve?: typeof resolveName;
}

/** Of IPv4, what is not for everybody (IANA's registry of special-purpose addresses; RFC 6890). */
const special4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  // What Azure tells its machines.
  '168.63.129.16',
];
/** Of global IPv6, what leads elsewhere or nowhere: Teredo, benchmarks, ORCHID, examples, 6to4. */
const special6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];
const global6 = ['2000::/3'];
/** Behind these 96 bits is an IPv4 address (RFC 6052). */
const nat64 = '64:ff9b::';
/** What the name of a host never leads to, though the host is allowed: what clouds tell their machines, neighbours, and nobody. */
const neverByName = [
  '0.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  '224.0.0.0/3',
  'fe80::/10',
  'fd00:ec2::254',
  'ff00::/8',
  '::',
];

const isSpecial4 = networkMatcher(special4);
const isSpecial6 = networkMatcher(special6);
const isGlobal6 = networkMatcher(global6);
const isNat64 = networkMatcher([`${nat64}/96`]);
const isNeverByName = networkMatcher(neverByName);

/**
 * Whether everybody can reach an address, as a canonical text: it is of no private network, no host's own, no group.
 * What embeds an IPv4 address behind NAT64 is as that is; 6to4 and Teredo are not public.
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !isSpecial4(address);
  if (isIP(address) !== 6) return false;
  if (isNat64(address)) return isPublicAddress(embeddedAddress(address));
  return isGlobal6(address) && !isSpecial6(address);
}

/**
 * Keeps what a caller of the API made from leading into this host or a private network (server-side request forgery).
 * The address of a connection is checked when it is made, and exactly that address is connected to: a name that leads
 * elsewhere a moment later (DNS rebinding) gains nothing.
 */
export class TargetGuard {
  readonly #options: TargetGuardOptions;
  readonly #isAllowedAddress: (address: string) => boolean;
  readonly #names: readonly string[];

  constructor(options: TargetGuardOptions) {
    this.#options = options;
    this.#isAllowedAddress = networkMatcher(options.allowed.filter(isNetwork));
    this.#names = options.allowed.filter((text) => !isNetwork(text)).map((text) => text.toLowerCase());
  }

  /** What can be told of a host without resolving its name. Throws `target_not_allowed`. */
  checkHost(host: string, port: number): void {
    const name = bareHost(host);
    if (isIP(name) !== 0) this.checkAddress(name, port, name);
    else if ((name === 'localhost' || name.endsWith('.localhost')) && !this.#isAllowedName(name))
      throw refused(host);
  }

  /**
   * Throws `target_not_allowed`.
   * @param host what was resolved to the address, or the address itself
   */
  checkAddress(address: string, port: number, host: string): void {
    const canonical = canonicalAddress(address.replace(/%.*$/, ''));
    if (canonical === null) throw refused(host);
    const reached = isNat64(canonical) ? embeddedAddress(canonical) : canonical;
    const isHere = this.#isOwn(reached) || this.#isOwn(canonical);
    if (isHere && (this.#options.ownPorts ?? []).includes(port)) throw refused(host);
    if (this.#isAllowedAddress(canonical) || this.#isAllowedAddress(reached)) return;
    if (this.#isAllowedName(bareHost(host)) && !isNeverByName(canonical) && !isNeverByName(reached)) return;
    if (isHere || !isPublicAddress(canonical)) throw refused(host);
  }

  /** Resolves names for connections to a port, for `net.connect`; fails where one of the addresses is not allowed. */
  lookup(port: number): LookupFunction {
    const resolve = this.#options.resolve ?? resolveName;
    return (host, options, callback) => {
      resolve(host, { ...options, all: true }, (error, addresses) => {
        if (error) return callback(error, '');
        try {
          for (const { address } of addresses) this.checkAddress(address, port, host);
        } catch (refusal) {
          return callback(refusal as NodeJS.ErrnoException, '');
        }
        if (options.all) return callback(null, addresses);
        const [first] = addresses;
        if (first === undefined) return callback(new Error(`${host} has no address`), '');
        callback(null, first.address, first.family);
      });
    };
  }

  #isOwn(address: string): boolean {
    if (address === '::' || address === '::1' || /^(127|0)\./.test(address)) return true;
    return (this.#options.ownAddresses ?? interfaceAddresses)().includes(address);
  }

  #isAllowedName(host: string): boolean {
    const name = bareHost(host);
    return this.#names.some((each) =>
      each.startsWith('*.') ? name.endsWith(each.slice(1)) && name.length > each.length - 1 : name === each,
    );
  }
}

/** Without the brackets of an IPv6 address, the dot at the end of a whole name, and a zone. */
function bareHost(host: string): string {
  return host
    .replace(/^\[|\]$/g, '')
    .replace(/%.*$/, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

/** The last 32 bits of an IPv6 address, as IPv4. */
function embeddedAddress(address: string): string {
  const [, dotted] = /:(\d+\.\d+\.\d+\.\d+)$/.exec(address) ?? [];
  if (dotted !== undefined) return dotted;
  const [, high = '', low = ''] = /([0-9a-f]{0,4}):([0-9a-f]{0,4})$/.exec(address) ?? [];
  const bits = [Number.parseInt(high || '0', 16), Number.parseInt(low || '0', 16)];
  return bits.flatMap((word) => [word >> 8, word & 0xff]).join('.');
}

/** The message does not say where a name leads: that would tell of the inside of a network. */
function refused(host: string): DavitError {
  return new DavitError(
    'target_not_allowed',
    `${host} leads to an address that is not public, and alerts.allowed_targets does not name it; a notifier of the configuration file may lead anywhere`,
  );
}

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .flatMap(({ address }) => canonicalAddress(address.replace(/%.*$/, '')) ?? []);
}
