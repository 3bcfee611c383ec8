import { connect, type Socket } from 'node:net';
import type { TargetInstance } from './target.ts';

/** Whoever uses a connection to an instance for now. */
export interface RawUser {
  /** It is there: what is written now goes to the instance. Not called for one that was there before. */
  onConnected(): void;
  /** These bytes have come: the first `length` of `bytes`, which are others once this returns. */
  onBytes(bytes: Buffer, length: number): void;
  /** It is gone, and not by `destroy`. @param isOrderly whether the instance has closed it, and nothing broke */
  onClosed(isOrderly: boolean): void;
}

/** A connection to an instance, in the hands of one user at a time. */
export class RawConnection {
  readonly instance: TargetInstance;
  readonly socket: Socket;
  /** Whether it has carried an answer before: then the instance may have closed it meanwhile. */
  isReused = false;
  /** Until when it may rest, by performance.now(). */
  rests_until = 0;
  #user: RawUser | null;
  readonly #onGone: (connection: RawConnection) => void;
  #hasEnded = false;

  constructor(
    instance: TargetInstance,
    user: RawUser,
    buffer: Buffer,
    onGone: (connection: RawConnection) => void,
  ) {
    this.instance = instance;
    this.#user = user;
    this.#onGone = onGone;
    const callback = (length: number): boolean => {
      if (this.#user !== null) this.#user.onBytes(buffer, length);
      // An answer that nobody has asked for.
      else this.destroy();
      return true;
    };
    const { host, port } = instance;
    this.socket = connect({ host, port, noDelay: true, onread: { buffer, callback } })
      .on('connect', () => this.#user?.onConnected())
      .on('end', () => {
        this.#hasEnded = true;
      })
      .on('error', () => {})
      .on('close', (hadError) => this.#onClose(!hadError && this.#hasEnded));
  }

  /** Lends it to its next user; null: nobody, it rests. */
  lend(user: RawUser | null): void {
    this.#user = user;
  }

  /** Closes it; its user is not told. */
  destroy(): void {
    this.#user = null;
    this.socket.destroy();
  }

  /** Whether nothing has happened to it that keeps the next request from being sent on it. */
  get isOpen(): boolean {
    return this.socket.writable && !this.#hasEnded;
  }

  #onClose(isOrderly: boolean): void {
    const user = this.#user;
    this.#user = null;
    this.#onGone(this);
    user?.onClosed(isOrderly);
  }
}

interface Limits {
  /** How many connections to one instance rest at most. */
  readonly of_one: number;
  /** How many do in all. */
  readonly in_all: number;
  /** For how long one rests at most, in milliseconds, where the instance does not say. */
  readonly rest: number;
}

/** Node.js closes what rests for 5 s, and many others do later. */
const defaultLimits: Limits = { of_one: 256, in_all: 2_048, rest: 4_000 };
/** How long before the instance closes it a connection is given up, in milliseconds: a request must not cross with that. */
const margin = 1_000;
/** The longest rest, whatever an instance says, in milliseconds. */
const longestRest = 60_000;
/** What is read from an instance at once. */
const readSize = 65_536;

/** Connections to instances, kept for the next request where the instance keeps them open. */
export class RawPool {
  readonly #limits: Limits;
  readonly #resting = new Map<TargetInstance, RawConnection[]>();
  /** Those whose end is listened for: once for each, however often their last connection goes. */
  readonly #watched = new WeakSet<TargetInstance>();
  #count = 0;
  /** For all of them: what is read is used up before the next of them is read from. */
  readonly #buffer = Buffer.allocUnsafeSlow(readSize);

  constructor(limits: Partial<Limits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** How many connections rest. */
  get resting(): number {
    return this.#count;
  }

  /** The connection that has rested for the shortest time; null: none does. @param now by performance.now() */
  take(instance: TargetInstance, user: RawUser, now: number): RawConnection | null {
    const connections = this.#resting.get(instance);
    for (let connection = connections?.pop(); connection; connection = connections?.pop()) {
      this.#count -= 1;
      if (connection.isOpen && connection.rests_until > now) {
        connection.lend(user);
        return connection;
      }
      connection.destroy();
    }
    return null;
  }

  /** Opens a connection; its user is told when it is there, or gone. */
  open(instance: TargetInstance, user: RawUser): RawConnection {
    return new RawConnection(instance, user, this.#buffer, (connection) => this.#forget(connection));
  }

  /**
   * Keeps a connection for the next request, when nothing speaks against it.
   * @param keeps_for how long the instance says that it keeps it open, in milliseconds; null: it does not say
   */
  giveBack(connection: RawConnection, keeps_for: number | null, now: number): void {
    const { instance } = connection;
    const rest = keeps_for === null ? this.#limits.rest : Math.min(keeps_for - margin, longestRest);
    const resting = this.#resting.get(instance);
    const isWanted =
      rest > 0 &&
      connection.isOpen &&
      instance.draining === null &&
      this.#count < this.#limits.in_all &&
      (resting === undefined || resting.length < this.#limits.of_one);
    if (!isWanted) return void connection.destroy();
    connection.lend(null);
    connection.isReused = true;
    connection.rests_until = now + rest;
    this.#count += 1;
    (resting ?? this.#enter(instance)).push(connection);
  }

  /** Closes what has rested for long enough. */
  closeRested(now: number): void {
    for (const [instance, connections] of this.#resting) {
      const rested = connections.filter(({ rests_until }) => rests_until <= now);
      for (const connection of rested) {
        this.#forget(connection);
        connection.destroy();
      }
      if (connections.length === 0) this.#resting.delete(instance);
    }
  }

  /** Closes all that rest. */
  close(): void {
    for (const instance of [...this.#resting.keys()]) this.#drop(instance);
  }

  #enter(instance: TargetInstance): RawConnection[] {
    const connections: RawConnection[] = [];
    this.#resting.set(instance, connections);
    if (this.#watched.has(instance)) return connections;
    this.#watched.add(instance);
    instance.onDraining((draining) => {
      if (draining !== null) this.#drop(instance);
    });
    instance.onGone(() => this.#drop(instance));
    return connections;
  }

  #drop(instance: TargetInstance): void {
    const connections = this.#resting.get(instance) ?? [];
    this.#resting.delete(instance);
    this.#count -= connections.length;
    for (const connection of connections.splice(0)) connection.destroy();
  }

  #forget(connection: RawConnection): void {
    const connections = this.#resting.get(connection.instance) ?? [];
    const place = connections.indexOf(connection);
    if (place === -1) return;
    connections.splice(place, 1);
    this.#count -= 1;
  }
}
