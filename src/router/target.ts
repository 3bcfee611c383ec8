import type { Routing } from '../contract/balancing.ts';
import type { RoutedRequest } from '../routing/request.ts';

/** What is to become of a request. */
export type Destination =
  | {
      readonly kind: 'service';
      readonly rule: string;
      readonly service: TargetService;
      /** The path to be asked for in place of the request's own; null: that one. */
      readonly path: string | null;
    }
  | {
      readonly kind: 'answer';
      readonly rule: string;
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  /** No rule fits. */
  | { readonly kind: 'nowhere' };

/** Knows where requests go, by the newest table. What it gave stays good under the next one. */
export interface Director {
  direct(request: RoutedRequest): Destination;
}

/** A service to which requests go. */
export interface TargetService {
  readonly id: string;
  /** As durations in milliseconds. */
  readonly timeouts: {
    readonly connect: number;
    readonly response: number;
    /** Of WebSocket connections; null: none. */
    readonly idle: number | null;
  };
  readonly retries: Routing['retries'];
  /** How long a request waits while there is no instance, in milliseconds; null: it does not. */
  readonly hold: number | null;
  /**
   * Chooses an instance and takes a place at it, which the caller gives back by `Lease.end`.
   * @param tried the ids of those that this request was tried at
   */
  acquire(request: RoutedRequest, tried: ReadonlySet<string>): Lease | NoInstance;
  /** Whether a request that failed may be tried once more: takes it out of the budget when it may. */
  mayRetry(): boolean;
  /**
   * Resolves when an instance takes requests again (true), or `signal` ends the wait (false). One that has refused a connection
   * within the last second is not waited for: its process may have ended just now.
   */
  available(signal: AbortSignal): Promise<boolean>;
}

/** Why there is no instance: none is ready, or all are full. */
export type NoInstance = 'none_ready' | 'all_full';

/** What an instance can do wrong: take no connection, break off, or take too long. */
export type Failure = 'unreachable' | 'broken' | 'timed_out';

/** A place at an instance for one request or one WebSocket connection. */
export interface Lease {
  readonly instance: TargetInstance;
  /** The `Set-Cookie` that keeps the client with the instance; null: none is to be set. */
  readonly cookie: string | null;
  /**
   * The head of the answer has come. At most once; with 101 it is a WebSocket connection from now on, whatever the version of HTTP.
   * @param duration since the request was sent, in milliseconds
   */
  answered(status: number, duration: number): void;
  /** There was no answer, or it broke off. At most once; not when the client went away. */
  failed(how: Failure): void;
  /** It was given up for another instance. */
  retried(): void;
  /** Gives the place back. Once, whatever happened; with what went through, in bytes. */
  end(bytes_in: number, bytes_out: number): void;
}

/** An instance, from the first table that names it until nothing is open on it and no table does. */
export interface TargetInstance {
  readonly id: string;
  readonly service: string;
  readonly number: number;
  readonly release: number;
  readonly host: string;
  readonly port: number;
  /** Not null: it gets no new requests, and WebSocket connections end from `until` on. */
  readonly draining: { readonly until: number; readonly spread: number } | null;
  /** Calls back when a table first says that it drains, or no longer (null), until it is gone. */
  onDraining(listener: (draining: TargetInstance['draining']) => void): () => void;
  /**
   * Calls back once when no table names it any more: its pooled connections are of no use then. Where that is so already, when
   * its last lease ends.
   */
  onGone(listener: () => void): void;
}
