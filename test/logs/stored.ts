import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogLine } from '../../src/contract/logs.ts';
import type { SearchBudget } from '../../src/logs/log_query.ts';
import { LogStore } from '../../src/logs/log_store.ts';
import type { Retention } from '../../src/logs/retention.ts';

export const endless: Retention = { max_bytes: 1e12, max_age_ms: null, max_releases: null, compress: false };
export const fromBegin = [{ run: 0, stdout: 0, stderr: 0 }];

export type Live = ReturnType<LogStore['open']>;

/** A store in a folder of its own, with what it said and what it may keep. */
export class Stored implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'davit-logs-'));
  readonly problems: string[] = [];
  retention = endless;
  quota = 1e12;
  budget: SearchBudget | undefined;
  store: LogStore;

  constructor() {
    this.store = this.#newStore();
  }

  /** As when the agent is started again; what lives has to be adopted. */
  restart(): void {
    this.store.close();
    this.store = this.#newStore();
  }

  file(name: string): string {
    return join(this.folder, 'logs/web', name);
  }

  /** A whole run of the service "web", of release 1 and instance 1 unless said otherwise. */
  async run(run: number, text: string, { release = 1, instance = 1, stderr = '' } = {}): Promise<void> {
    const live = this.begin(run, text, { release, instance, stderr });
    await live.close();
  }

  /** A run that goes on. */
  begin(run: number, text: string, { release = 1, instance = 1, stderr = '' } = {}): Live {
    const live = this.store.open('web', run, { release, instance });
    const name = `${run}.r${release}.i${instance}`;
    appendFileSync(this.file(`${name}.stdout`), text);
    if (stderr !== '') appendFileSync(this.file(`${name}.stderr`), stderr);
    return live;
  }

  [Symbol.dispose](): void {
    this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #newStore(): LogStore {
    return new LogStore({
      directory: join(this.folder, 'logs'),
      retentionOf: () => this.retention,
      maxBytes: () => this.quota,
      onProblem: (message) => this.problems.push(message),
      quietTime: 0,
      ...(this.budget && { budget: this.budget }),
    });
  }
}

export function texts(lines: readonly LogLine[]): string[] {
  return lines.map(({ line }) => line);
}

/** Lines of 20 bytes with rising numbers. */
export function numbered(from: number, count: number): string {
  return Array.from({ length: count }, (_, n) => `line ${String(from + n).padStart(14, '0')}\n`).join('');
}
