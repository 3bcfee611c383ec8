import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { InstanceStatus } from '../../src/contract/instances.ts';
import type { Release } from '../../src/contract/releases.ts';
import type { ServiceStatus } from '../../src/contract/services.ts';
import { type Answer, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { processesOf, type SeenProcess } from './host.ts';
import { type Name, names, specOf, type Variant } from './variants.ts';

/** One service as its agent shows it. */
export interface ShownService {
  readonly status: ServiceStatus;
  readonly instances: readonly InstanceStatus[];
}

/** What the agent says and what the host shows, one right after the other. */
export interface Seen {
  readonly services: Readonly<Partial<Record<Name, ShownService>>>;
  readonly processes: readonly SeenProcess[];
}

interface Event {
  readonly id: number;
  readonly type: string;
  readonly cause: number | null;
  readonly service: string | null;
  readonly message: string;
}

/** How many of the last events a failure shows. */
const shownEvents = 40;

/** What can be wrong with an instance, by the file that says so. */
export type Mark = 'ready' | 'live' | 'crash';

/** How long an agent may take to start or to end on a busy machine, in milliseconds. */
const patience = 60_000;
/** Ports of services with `port: auto`, and the first ones of the others, for each lane. */
const portsPerLane = 200;
const firstPort = 12_000;
let lanes = 0;

/** Agents with one state, one after another, the services of a walk, and what these wrote. */
export class Lane implements AsyncDisposable {
  readonly home = mkdtempSync(join(tmpdir(), 'davit-walk-'));
  readonly data = join(this.home, 'data');
  readonly portRange: readonly [number, number];
  readonly #number = (process.pid + lanes++) % 30;
  readonly #variants: Variant[] = [];
  readonly #events = new Set<number>();
  #lastEvent = 0;
  #agent: RunningAgent | null = null;

  constructor() {
    for (const name of ['data', 'marks', 'locks']) mkdirSync(join(this.home, name));
    const first = firstPort + this.#number * portsPerLane;
    this.portRange = [first, first + 99];
    const unlimited = { authenticated: { requests: 1_000_000_000, per: '1s' } };
    const config = { listen: '127.0.0.1:0', port_range: this.portRange.join('-'), rate_limits: unlimited };
    writeFileSync(join(this.home, 'davit.yaml'), stringify(config));
  }

  get agent(): RunningAgent {
    if (this.#agent === null) throw new Error('no agent has been started');
    return this.#agent;
  }

  async start(): Promise<void> {
    const configFile = join(this.home, 'davit.yaml');
    this.#agent = await inTime('the agent listens', startAgent({ data: this.data, configFile }));
  }

  async kill(): Promise<void> {
    const { child } = this.agent;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async end(): Promise<void> {
    assert.equal(await inTime('the agent ends', this.agent.end()), 0, 'the agent does not end well');
  }

  /** Null: it did not answer to the end. */
  async ask(method: string, path: string, body?: unknown): Promise<Answer | null> {
    return await this.agent.call(method, path, body).catch(() => null);
  }

  /** Null when the service is not there. */
  async read<T>(path: string): Promise<T | null> {
    const answer = await inTime(`GET ${path} is answered`, this.agent.call('GET', path));
    assert.ok(answer.status === 200 || answer.status === 404, `GET ${path}: ${JSON.stringify(answer.body)}`);
    return answer.status === 200 ? answer.body : null;
  }

  /** The body that asks for a variant. */
  specOf(name: Name, variant: Variant): ReturnType<typeof specOf> {
    const id = this.#variants.push(variant) - 1;
    const [first] = this.portRange;
    return specOf({ home: this.home, name, variant, id, firstPort: first + 100 + names.indexOf(name) * 10 });
  }

  /** Every release of a service with the variant that it is of. */
  async releasesOf(name: Name): Promise<readonly (Release & { readonly variant: Variant })[]> {
    const list = await this.read<{ releases: Release[] }>(`/api/v1/services/${name}/releases`);
    return (list?.releases ?? []).map((release) => {
      const variant = this.#variants[Number(release.spec.command.at(-1))];
      assert.ok(variant, `release ${release.release} of "${name}" is of no variant`);
      return { ...release, variant };
    });
  }

  /** What depends on others is asked for last: what happened to those has reached it then. */
  async look(): Promise<Seen> {
    const statuses = (await this.read<Record<string, ServiceStatus>>('/services')) ?? {};
    const services: Partial<Record<Name, ShownService>> = {};
    for (const name of names) {
      const list = await this.read<{ instances: InstanceStatus[] }>(`/api/v1/services/${name}/instances`);
      const status = statuses[name];
      if (list !== null && status !== undefined) services[name] = { status, instances: list.instances };
    }
    return { services, processes: processesOf(this.home, this.data, this.agent.child.pid ?? 0) };
  }

  /** What is wrong with the events since the last look. */
  async eventProblems(): Promise<string[]> {
    const problems: string[] = [];
    for (;;) {
      const path = `/api/v1/events?after=${this.#lastEvent}&limit=1000`;
      const { events } = (await this.read<{ events: Event[] }>(path)) ?? { events: [] };
      if (events.length === 0) return problems;
      for (const { id, type, cause } of events) {
        if (this.#events.has(id)) problems.push(`event ${id} is there twice`);
        if (cause !== null && !(cause < id && this.#events.has(cause)))
          problems.push(`event ${id} (${type}) names ${cause} as its cause, which is no event before it`);
        this.#events.add(id);
        this.#lastEvent = Math.max(this.#lastEvent, id);
      }
    }
  }

  /** The last events, in words. */
  async lastEvents(): Promise<string[]> {
    const list = await this.read<{ events: (Event & { instance: number | null; time: string })[] }>(
      `/api/v1/events?limit=${shownEvents}`,
    ).catch(() => null);
    return (list?.events ?? []).map(
      ({ id, time, type, service, instance, cause, message }) =>
        `${id} ${time.slice(11)} ${service}/${instance} ${type} because of ${cause}: ${message}`,
    );
  }

  async orphanProblems(): Promise<string[]> {
    const list = await this.read<{ orphans: unknown[] }>('/api/v1/orphans');
    return (list?.orphans ?? []).map((orphan) => `an orphan is left: ${JSON.stringify(orphan)}`);
  }

  /** What the programs have found wrong, and what the agent says went wrong within it. */
  ownProblems(): string[] {
    const file = join(this.home, 'violations');
    const violations = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
    const errors = this.agent.log.filter(
      ({ level, text }) => level === 'error' || Number(level) >= 50 || text,
    );
    return [...violations, ...errors.map((record) => `the agent says ${JSON.stringify(record)}`)];
  }

  mark(name: Name, number: number, mark: Mark, value: string | number): void {
    writeFileSync(join(this.home, 'marks', `${name}.${number}.${mark}`), String(value));
  }

  unmark(name: Name, number: number, mark: Mark): void {
    rmSync(join(this.home, 'marks', `${name}.${number}.${mark}`), { force: true });
  }

  /** Whether the program with this pid has been told to say that it is not well. */
  isMarked(name: string, number: number, mark: Mark, pid: number): boolean {
    const file = join(this.home, 'marks', `${name}.${number}.${mark}`);
    return existsSync(file) && readFileSync(file, 'utf8') === String(pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const agent = this.#agent?.child;
    await this.kill().catch(() => {});
    for (;;) {
      const living = processesOf(this.home, this.data, agent?.pid ?? 0);
      if (living.length === 0) break;
      for (const { pid } of living) kill(pid);
      await sleep(10);
    }
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Rejects with what was waited for when that takes too long. */
export async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`waited in vain until ${what}`)), patience);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

/** It may have ended meanwhile. */
export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
