import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { steadyPort } from './free_port.ts';

/** Why there can be no Prometheus here; false where there can. */
export const prometheusObstacle =
  spawnSync('prometheus', ['--version']).status === 0 ? false : 'prometheus is not installed';

/** A value of a series and its time in milliseconds. */
export type Point = readonly [at: number, value: string];

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [number, string])[];
}

/** A real Prometheus that takes remote write, with its own storage, on a port of its own. */
export class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly #port: number;
  readonly #folder: string;
  #child: ChildProcess | null = null;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** @param folder where it keeps what it has; it makes the same again when it is started again */
  static async start(folder: string): Promise<Prometheus> {
    const prometheus = new Prometheus(folder, await steadyPort());
    await prometheus.start();
    return prometheus;
  }

  get writeUrl(): string {
    return `${this.url}/api/v1/write`;
  }

  /** Resolves when it is ready. Throws when that takes longer than half a minute. */
  async start(): Promise<void> {
    const config = join(this.#folder, 'prometheus.yml');
    writeFileSync(config, 'global: {}\n');
    this.#child = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(this.#folder, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${this.#port}`,
        '--web.enable-remote-write-receiver',
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
    const deadline = Date.now() + 30_000;
    while (!(await this.#isReady())) {
      if (Date.now() > deadline) throw new Error('Prometheus is not ready after half a minute');
      await sleep(50);
    }
  }

  async end(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null) return;
    child.kill();
    await once(child, 'exit');
  }

  /** How many series an expression has now. */
  async count(expression: string): Promise<number> {
    return (await this.#ask('query', { query: expression })).length;
  }

  /** The samples of a series that came within the last hour, as they came. */
  async samples(series: string): Promise<Point[]> {
    return points(await this.#ask('query', { query: `${series}[1h]` }));
  }

  /** An expression from one time to another, in steps; times in milliseconds. */
  async range(query: string, from: number, to: number, step: number): Promise<Point[]> {
    const [start, end] = [from / 1_000, to / 1_000].map(String);
    return points(await this.#ask('query_range', { query, start, end, step: String(step / 1_000) }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/-/ready`)).ok;
    } catch {
      return false;
    }
  }

  async #ask(what: string, parameters: Record<string, string | undefined>): Promise<Result[]> {
    const given = Object.entries(parameters).map(([name, value]): [string, string] => [name, value ?? '']);
    const response = await fetch(`${this.url}/api/v1/${what}?${new URLSearchParams(given)}`);
    const { status, error, data } = (await response.json()) as {
      status: string;
      error?: string;
      data: { result: Result[] };
    };
    if (status !== 'success') throw new Error(`${what}: ${error}`);
    return data.result;
  }
}

function points(results: readonly Result[]): Point[] {
  if (results.length > 1) throw new Error(`${results.length} series in place of one`);
  return (results[0]?.values ?? []).map(([at, value]) => [Math.round(at * 1_000), value]);
}
