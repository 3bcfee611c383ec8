import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InstanceStatus } from '../../src/contract/instances.ts';
import { type Answer, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';
import { fixture } from '../helpers/processes.ts';
import { isRunning, processesWith } from '../helpers/system.ts';
import { listens, processesWhere } from './proc.ts';
import { type ReleaseKind, releaseSpec } from './releases.ts';
import { until } from './until.ts';

const service = 'web';
const routers = 2;
const instances = 2;

/** An agent with two routers, and a service of two instances behind them. */
export class Stage {
  /** Where the routers listen. */
  readonly port: number;
  readonly #data: string;
  readonly #strategy: string;
  #agent: RunningAgent;
  #closed: Promise<number[]> | null = null;

  private constructor(port: number, data: string, strategy: string, agent: RunningAgent) {
    this.port = port;
    this.#data = data;
    this.#strategy = strategy;
    this.#agent = agent;
  }

  /** @param strategy of its rollouts */
  static async open(strategy = 'rolling'): Promise<Stage> {
    const data = await mkdtemp(join(tmpdir(), 'davit-traffic-'));
    const port = await freePort();
    return new Stage(port, data, strategy, await startOn(data, port));
  }

  /** Sends a release, and resolves with the answer of the agent. */
  deploy(version: string, kind: ReleaseKind): Promise<Answer> {
    const command = fixture('traffic_service.mjs');
    const env = { TRAFFIC_STAGE: this.#data };
    const spec = releaseSpec({ command, version, kind, instances, strategy: this.#strategy, env });
    return this.#agent.call('POST', `/service/${service}/deploy`, spec);
  }

  /** Resolves when all instances are ready, and no other process of the service is left. */
  async isWhole(): Promise<void> {
    await until('the service is whole', async () => {
      const all = await this.instances();
      const known = all.map(({ pid }) => pid).toSorted();
      const running = this.servicePids().toSorted();
      const isReady = all.length === instances && all.every(({ ready }) => ready);
      return isReady && String(known) === String(running);
    });
  }

  async instances(): Promise<readonly InstanceStatus[]> {
    return (await this.#agent.call('GET', `/api/v1/services/${service}/instances`)).body.instances ?? [];
  }

  /** The processes of the service's program, whatever the agent says of them. */
  servicePids(): number[] {
    const marked = new Set(this.#marked());
    return processesWhere((words) => words.some((word) => word.endsWith('traffic_service.mjs'))).filter(
      (pid) => marked.has(pid),
    );
  }

  routerPids(): number[] {
    const isOurs = (word: string) => word.startsWith(this.#data);
    return processesWhere((words) => words.includes('router') && words.some(isOurs));
  }

  /** Resolves when there are as many routers as there should be, and each of them listens. */
  async routersAreUp(): Promise<void> {
    await until(`${routers} routers listen`, () => {
      const pids = this.routerPids();
      return pids.length === routers && pids.every((pid) => listens(pid, this.port));
    });
  }

  /** SIGKILL to the agent alone; resolves when it is gone. */
  async killAgent(): Promise<void> {
    await this.#agent.end('SIGKILL');
  }

  async startAgent(): Promise<void> {
    this.#agent = await startOn(this.#data, this.port);
  }

  /** Ends all there is, and kills what is left. Resolves with the processes that had to be killed. Once is enough. */
  close(): Promise<number[]> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<number[]> {
    await this.#agent.call('DELETE', `/api/v1/services/${service}`);
    await this.#agent.end();
    // They outlive the agent, as all that it runs does.
    const routing = this.routerPids();
    for (const pid of routing) process.kill(pid, 'SIGTERM');
    await until('the routers have ended', () => !routing.some(isRunning));
    const left = [...this.#marked(), ...this.routerPids()];
    for (const pid of left) process.kill(pid, 'SIGKILL');
    await rm(this.#data, { recursive: true, force: true });
    return left;
  }

  #marked(): number[] {
    return processesWith(`TRAFFIC_STAGE=${this.#data}`);
  }
}

function startOn(data: string, port: number): Promise<RunningAgent> {
  const limits = { connections_per_address: 100_000 };
  const listeners = [{ address: `127.0.0.1:${port}` }];
  const router = { listeners, processes: routers, limits, drain_timeout: '5s' };
  return startAgent({ data, config: { router } });
}
