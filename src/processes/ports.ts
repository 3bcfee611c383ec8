import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { DavitError, systemErrorCode } from '../lib/errors.ts';
import type { PortRange } from '../lib/port_range.ts';
import { findHolder, type Listener, readListeners, userName } from './listeners.ts';
import { claimPort, inodeOfClaim, type PortClaim } from './port_claim.ts';

export interface PortsOptions {
  /** Where `port: auto` is chosen from. Asked each time, as it may be changed while the agent runs. */
  readonly range: () => PortRange;
}

/** Which port an instance would like. */
export interface PortWish {
  /** The one that it had before, which it gets again if it is free, also outside of the range. */
  readonly previous: number | null;
  /** Ports that are promised to others, though nobody listens on them. */
  readonly taken: ReadonlySet<number>;
}

/** Who listens, or null where the system does not tell: then it must be tried. */
type Listeners = ReadonlyMap<number, readonly Listener[]> | null;

/** Every address of either kind. */
const addresses = ['::', '0.0.0.0'] as const;

/**
 * The ports of the instances of one agent. A port is its until it is released. It is free when nobody listens on it on
 * any address of the host, and no agent of the host has given it to an instance.
 */
export class Ports {
  readonly #range: () => PortRange;
  readonly #claims = new Map<number, PortClaim>();
  #look: Promise<Listeners> | undefined;

  constructor({ range }: PortsOptions) {
    this.#range = range;
  }

  /** A free port for an instance: the one that it had, or any of the range. Throws `port_taken` when there is none. */
  async take({ previous, taken }: PortWish): Promise<number> {
    const range = this.#range();
    const listeners = await this.#listeners();
    for (const port of [...(previous === null ? [] : [previous]), ...anywhereIn(range)]) {
      if (taken.has(port) || this.#claims.has(port) || listeners?.has(port)) continue;
      if (await this.#tryClaim(port, listeners)) return port;
    }
    throw new DavitError(
      'port_taken',
      `none of the ports ${range.first} to ${range.last} is free; set another port_range for the agent`,
    );
  }

  /** Takes exactly this port. Throws `port_taken`, with the process that has it as far as this account may see that. */
  async claim(port: number): Promise<void> {
    if (this.#claims.has(port)) throw portTaken(port, 'another service of this agent');
    const listeners = await this.#listeners();
    const found = listeners?.get(port);
    if (found !== undefined) throw portTaken(port, await describeHolder(found));
    // Meanwhile another may have asked for it.
    if (this.#claims.has(port)) throw portTaken(port, 'another service of this agent');
    if (!(await this.#tryClaim(port, listeners))) throw portTaken(port, await describeClaimant(port));
  }

  /** Keeps others off the port of an instance that runs already, and may listen on it. Never throws. */
  async hold(port: number): Promise<void> {
    if (!this.#claims.has(port)) await this.#tryClaim(port, new Map());
  }

  /** The instance of a port has ended. */
  release(port: number): void {
    this.#claims.get(port)?.close();
    this.#claims.delete(port);
  }

  close(): void {
    for (const port of [...this.#claims.keys()]) this.release(port);
  }

  /** The port is this agent's before anything is waited for. False when it turns out to be somebody else's. */
  async #tryClaim(port: number, listeners: Listeners): Promise<boolean> {
    const pending: PortClaim = { close: () => {} };
    this.#claims.set(port, pending);
    const isFree = listeners !== null || (await canListen(port));
    const claim = isFree ? await claimPort(port) : null;
    const isWanted = this.#claims.get(port) === pending;
    if (claim !== null && isWanted) {
      this.#claims.set(port, claim);
      return true;
    }
    claim?.close();
    if (isWanted) this.#claims.delete(port);
    return false;
  }

  /** Whoever asks at about the same time shares one look. */
  #listeners(): Promise<Listeners> {
    this.#look ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#look = undefined;
        resolve(readListeners());
      });
    });
    return this.#look;
  }
}

/** All ports of a range, from one at random: agents of the same range then rarely ask for the same. */
function* anywhereIn({ first, last }: PortRange): Generator<number> {
  const count = last - first + 1;
  const start = randomInt(count);
  for (let step = 0; step < count; step++) yield first + ((start + step) % count);
}

/** Tries it, where the system does not tell who listens. */
async function canListen(port: number): Promise<boolean> {
  for (const host of addresses) {
    const server = createServer().listen({ port, host, exclusive: true });
    try {
      await once(server, 'listening');
      server.close();
      await once(server, 'close');
    } catch (error) {
      // A host may lack one kind of address, and an ordinary user may not listen below 1024.
      if (systemErrorCode(error) === 'EADDRINUSE') return false;
    }
  }
  return true;
}

async function describeHolder(listeners: readonly Listener[]): Promise<string> {
  const holder = await findHolder(listeners.map(({ inode }) => inode));
  if (holder === null) {
    const users = [...new Set(listeners.map(({ uid }) => userName(uid)))];
    return `a process of user ${users.join(' or ')} that this account may not see`;
  }
  const { name, pid, user, service } = holder;
  return `${name} (pid ${pid}, user ${user}${service === '' ? '' : `, service "${service}" of davit`})`;
}

async function describeClaimant(port: number): Promise<string> {
  const inode = inodeOfClaim(port);
  const holder = inode === null ? null : await findHolder([inode]);
  const who = holder === null ? '' : ` (pid ${holder.pid}, user ${holder.user})`;
  return inode === null ? 'another process' : `another davit agent${who}, which keeps it for a service`;
}

function portTaken(port: number, by: string): DavitError {
  return new DavitError('port_taken', `port ${port} is taken by ${by}`, { fields: { port } });
}
