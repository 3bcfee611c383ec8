import type { TableInstance } from '../contract/routing_table.ts';
import { Breaker } from '../routing/circuit_breaker.ts';
import type { Candidate } from '../routing/strategies/strategy.ts';
import type { LiveTally } from './live_tally.ts';
import type { TargetInstance } from './target.ts';

type OnDraining = Parameters<TargetInstance['onDraining']>[0];

/** An instance from the first table that names it until none does and nothing is open on it. */
export class LiveInstance implements TargetInstance, Candidate {
  readonly id: string;
  readonly service: string;
  readonly number: number;
  readonly release: number;
  readonly host: string;
  readonly port: number;
  readonly tally: LiveTally;
  readonly breaker = new Breaker();
  tags: ReadonlySet<string>;
  ready_at: number;
  weight = 1;
  /** When it last refused a connection; null: it has not. */
  refused_at: number | null = null;
  #draining: TargetInstance['draining'];
  #isNamed = true;
  #held = 0;
  readonly #onDraining = new Set<OnDraining>();
  readonly #onGone: (() => void)[] = [];

  constructor(service: string, instance: TableInstance, tally: LiveTally) {
    this.id = instance.id;
    this.service = service;
    this.number = instance.number;
    this.release = instance.release;
    this.host = instance.host;
    this.port = instance.port;
    this.tags = new Set(instance.tags);
    this.ready_at = instance.ready_at;
    this.#draining = instance.draining;
    this.tally = tally;
  }

  get draining(): TargetInstance['draining'] {
    return this.#draining;
  }

  get open(): number {
    return this.tally.open;
  }

  /** Whether a table names it. */
  get isNamed(): boolean {
    return this.#isNamed;
  }

  /** Whether it is to have nothing new, and has nothing left. */
  get isDrained(): boolean {
    return this.#held === 0 && (this.#draining !== null || !this.#isNamed);
  }

  isEjected(now: number): boolean {
    return !this.breaker.admits(now);
  }

  onDraining(listener: OnDraining): () => void {
    // The same function may listen twice.
    const own: OnDraining = (draining) => listener(draining);
    this.#onDraining.add(own);
    return () => this.#onDraining.delete(own);
  }

  /** Of one that is gone already, it calls back when its last lease ends: what was made for that lease is of no use then. */
  onGone(listener: () => void): void {
    this.#onGone.push(listener);
  }

  /** A place is taken. */
  take(): void {
    this.#held++;
  }

  /** A place is given back. */
  giveBack(): void {
    this.#held--;
  }

  /** A table says what it is now. Returns who is to be called. */
  update({ tags, ready_at, draining }: TableInstance): (() => void)[] {
    this.tags = new Set(tags);
    this.ready_at = ready_at;
    const before = this.#draining;
    if (before?.until === draining?.until && before?.spread === draining?.spread) return [];
    this.#draining = draining;
    return [...this.#onDraining].map((listener) => () => listener(draining));
  }

  /** No table names it any more. Returns who is to be called. */
  leave(): (() => void)[] {
    this.#isNamed = false;
    return this.takeGoneListeners();
  }

  /** Those that are to be told that it is gone, once. */
  takeGoneListeners(): (() => void)[] {
    return this.#onGone.splice(0);
  }
}
