import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { z } from 'zod';
import { type LogForwardingConfig, logForwardingField } from '../../src/config/log_forwarding.ts';
import { LogForwarding } from '../../src/forwarding/forwarding.ts';
import type { TargetCounts } from '../../src/forwarding/target.ts';
import { LogStore } from '../../src/logs/log_store.ts';
import type { Retention } from '../../src/logs/retention.ts';
import { migrations } from '../../src/services/schema.ts';
import { until } from '../helpers/system.ts';

type TargetInput = z.input<typeof logForwardingField>;

const endless: Retention = { max_bytes: 1e12, max_age_ms: null, max_releases: null, compress: false };

/** A store of logs whose output is forwarded, as an agent does it, with what was told. */
export class Forwarded implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'davit-forwarding-'));
  readonly database = new DatabaseSync(':memory:');
  readonly problems: string[] = [];
  readonly failing = new Map<string, string | null>();
  retention = endless;
  settings: LogForwardingConfig[] = [];
  logs: LogStore;
  forwarding: LogForwarding;
  readonly #settling: number;
  readonly #live = new Map<string, ReturnType<LogStore['open']>>();

  /** @param settling how long a syslog connection must stay whole for what was sent to count as arrived, in milliseconds */
  constructor(settling = 5_000) {
    this.#settling = settling;
    for (const migration of migrations) this.database.exec(migration);
    this.logs = this.#newStore();
    this.forwarding = this.#newForwarding();
  }

  /** Sets the targets and begins to forward. */
  begin(...targets: NonNullable<TargetInput>): void {
    this.settings = logForwardingField.parse(targets);
    this.forwarding.begin();
  }

  /** Sets other targets. */
  reload(...targets: NonNullable<TargetInput>): void {
    this.settings = logForwardingField.parse(targets);
    this.forwarding.reload();
  }

  /** As when the agent is killed and started again. What it knew and had not written is lost, and what lives is taken up. */
  async killAndStart(): Promise<void> {
    const rows = this.cursors();
    await this.forwarding.close();
    this.database.exec('DELETE FROM forwarded_logs');
    const insert = this.database.prepare('INSERT INTO forwarded_logs VALUES (?, ?, ?)');
    for (const { target, service, cursor } of rows) insert.run(target, service, cursor);
    this.#startAgain();
  }

  /** As when the agent is stopped and started again. */
  async stopAndStart(): Promise<void> {
    await this.forwarding.close();
    this.#startAgain();
  }

  cursors(): { target: string; service: string; cursor: string }[] {
    const rows = this.database.prepare('SELECT * FROM forwarded_logs').all();
    return rows.map((row) => ({
      target: String(row['target']),
      service: String(row['service']),
      cursor: String(row['cursor']),
    }));
  }

  /** Lets a run of a service write; the first time begins it. */
  write(service: string, text: string, { run = 1, instance = 1, stream = 'stdout' } = {}): void {
    const key = `${service} ${run} ${instance}`;
    if (!this.#live.has(key)) this.#live.set(key, this.logs.open(service, run, { release: 1, instance }));
    appendFileSync(join(this.folder, 'logs', service, `${run}.r1.i${instance}.${stream}`), text);
  }

  async endRun(service: string, { run = 1, instance = 1 } = {}): Promise<void> {
    const key = `${service} ${run} ${instance}`;
    await this.#live.get(key)?.close();
    this.#live.delete(key);
  }

  counts(target = 'central'): TargetCounts {
    const found = this.forwarding.counts().find((count) => count.target === target);
    if (found === undefined) throw new Error(`there is no target ${target}`);
    return found;
  }

  async untilBegun(target = 'central'): Promise<void> {
    await until(`"${target}" is taken up`, () =>
      this.cursors().some((row) => row.target === target && row.service === ''),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forwarding.close();
    this.logs.close();
    this.database.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #startAgain(): void {
    this.logs.close();
    this.logs = this.#newStore();
    for (const key of this.#live.keys()) {
      const [service = '', run, instance] = key.split(' ');
      const label = { release: 1, instance: Number(instance) };
      this.#live.set(key, this.logs.adopt(service, Number(run), label));
    }
    this.forwarding = this.#newForwarding();
    this.forwarding.begin();
  }

  #newStore(): LogStore {
    return new LogStore({
      directory: join(this.folder, 'logs'),
      retentionOf: () => this.retention,
      maxBytes: () => 1e12,
      onProblem: (message) => this.problems.push(message),
      quietTime: 0,
    });
  }

  #newForwarding(): LogForwarding {
    return new LogForwarding({
      database: this.database,
      feed: this.logs.feed,
      settings: () => this.settings,
      exists: (service) => this.logs.feed.services().includes(service),
      onFailing: (target, message) => this.failing.set(target, message),
      onProblem: (message) => this.problems.push(message),
      backoff: { first: 10, longest: 50 },
      gathering: 20,
      settling: this.#settling,
    });
  }
}

/** The numbers from one to another, each on a line of its own. */
export function numbered(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, n) => `${from + n}\n`).join('');
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, n) => from + n);
}
