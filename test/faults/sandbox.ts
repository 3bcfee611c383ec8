import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentOptions, type Answer, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { livingInstances } from './host.ts';

/** How a program behaves: see programs/counter.sh. */
export type Way = 'steady' | 'stubborn' | 'brief' | 'loud' | 'first';

const counter = resolve(import.meta.dirname, 'programs/counter.sh');
/** How long an agent may take to start or to end on a busy machine, in milliseconds. */
const patience = 40_000;

/** A folder with the state of agents that come one after another, and with what their programs wrote. */
export class Sandbox implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'davit-faults-'));
  readonly data = join(this.folder, 'data');
  /** What the programs say that they have written. */
  readonly written = join(this.folder, 'written');
  readonly #agents: RunningAgent[] = [];

  constructor() {
    mkdirSync(this.data);
    mkdirSync(this.written, { mode: 0o777 });
  }

  /** The agent that was started last. */
  get agent(): RunningAgent {
    const agent = this.#agents.at(-1);
    if (agent === undefined) throw new Error('no agent has been started');
    return agent;
  }

  /** Starts an agent; `points` as in DAVIT_TEST_FAIL_POINTS. */
  async start(options: AgentOptions = {}, points = ''): Promise<RunningAgent> {
    const env = { ...options.env, ...(points !== '' && { DAVIT_TEST_FAIL_POINTS: points }) };
    const agent = await inTime('the agent has started', startAgent({ ...options, data: this.data, env }));
    this.#agents.push(agent);
    return agent;
  }

  /** Kills the agent. */
  async kill(): Promise<void> {
    this.agent.child.kill('SIGKILL');
    await this.untilDead();
  }

  /** Resolves when the agent is dead. */
  async untilDead(): Promise<void> {
    const { child } = this.agent;
    if (child.exitCode !== null || child.signalCode !== null) return;
    await inTime('the agent is dead', once(child, 'exit'));
  }

  /** Asks the agent; null when it did not answer to the end. */
  async ask(method: string, path: string, body?: unknown): Promise<Answer | null> {
    return await this.agent.call(method, path, body).catch(() => null);
  }

  deploy(service: string, way: Way, change: object = {}): Promise<Answer | null> {
    return this.ask('POST', `/service/${service}/deploy`, this.spec(way, change));
  }

  spec(way: Way, change: object = {}): object {
    const env = { FAULTS_HOME: this.folder };
    const command = ['/bin/sh', counter, way];
    const restart = { policy: 'never' };
    return { command, env, min_uptime: '150ms', stop: { timeout: '300ms' }, restart, ...change };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#agents) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    // Whoever is not let go ends by itself when its agent does.
    for (
      let living = livingInstances(this.folder);
      living.length > 0;
      living = livingInstances(this.folder)
    ) {
      for (const { pids } of living) for (const pid of pids) kill(pid);
      await sleep(10);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Forgets what the programs of a deleted service wrote: their log is gone. */
export function forgetWritten({ written }: Sandbox, service: string): void {
  for (const name of readdirSync(written)) if (name.startsWith(`${service}.`)) rmSync(join(written, name));
}

/** Rejects with what was waited for when that takes too long. */
export async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  const end = new AbortController();
  const late = sleep(patience, undefined, { signal: end.signal }).then(() => {
    throw new Error(`waited in vain until ${what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    end.abort();
    late.catch(() => {});
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
