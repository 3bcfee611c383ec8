import type { TraceContext } from '../lib/trace_context.ts';
import type { Failure, NoInstance, TargetInstance } from './target.ts';

/**
 * Why a request was not served to its end: the instance, as it is counted; no instance; the body of the request; the client
 * went away or did not take its answer in time; the router ended, or somebody closed the connection; a fault of the router.
 */
export type AccessFailure =
  | Failure
  | NoInstance
  | `body_${'too_large' | 'timed_out' | 'broken'}`
  | 'client_gone'
  | 'cut_off'
  | 'internal';

/** What becomes of one request or WebSocket connection, noted as it goes on: a few assignments each. It can be used again. */
export class AccessRecord {
  /** Whether it is written down whatever becomes of it. */
  is_sampled = false;
  /** By performance.now(). */
  begun_at = 0;
  /** What the client was answered; null: nothing. */
  status: number | null = null;
  rule: string | null = null;
  service: string | null = null;
  /** That it went to last. */
  instance: TargetInstance | null = null;
  attempts = 0;
  /** From when it was sent to the instance until the head of the answer came, in milliseconds. */
  upstream_ms: number | null = null;
  failure: AccessFailure | null = null;
  /** Of bodies, or of what went over a WebSocket connection. */
  bytes_in = 0;
  bytes_out = 0;
  /** Begun by this router; null: by somebody before it, or none. */
  trace: TraceContext | null = null;

  begin(is_sampled: boolean, now: number): this {
    this.is_sampled = is_sampled;
    this.begun_at = now;
    this.status = null;
    this.rule = null;
    this.service = null;
    this.instance = null;
    this.attempts = 0;
    this.upstream_ms = null;
    this.failure = null;
    this.bytes_in = 0;
    this.bytes_out = 0;
    this.trace = null;
    return this;
  }

  /** @param service null: the rule answers by itself */
  goesTo(rule: string, service: string | null): void {
    this.rule = rule;
    this.service = service;
  }

  tries(instance: TargetInstance): void {
    this.instance = instance;
    this.attempts += 1;
  }

  /** The head of the answer of an instance has come. @param duration in milliseconds */
  answered(status: number, duration: number): void {
    this.status = status;
    this.upstream_ms = duration;
    this.failure = null;
  }

  /** It goes on with another attempt, or ends. */
  failed(why: AccessFailure): void {
    this.failure = why;
  }

  /** The router has answered by itself. */
  given(status: number): void {
    this.status = status;
  }
}
