import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { DavitAgent } from './davit_agent.ts';
import type { DavitProgram } from './davit_program.ts';
import type { HttpPeer, PeerSetup, StatusRequest } from './peer.ts';

/** What a stop had to do, and whether it knows that nothing is left. */
export interface StopAnswer {
  readonly stop?: { readonly complete: string; readonly survivors: readonly number[] };
}

/** What a service that ran for a moment begins anew with; the waits between restarts that follow each other cannot be zero. */
const restartPolicies = {
  'at once': {
    backoff: { initial: '0s', max: '0s', jitter: 0 },
    limit: { count: 'unlimited' },
    reset_after: '200ms',
  },
  unlimited: { limit: { count: 'unlimited' } },
} as const;

/** davit, driven over one kept loopback connection with its API key. */
export class Davit implements HttpPeer {
  readonly name = 'davit';
  readonly version: string;
  readonly agent: DavitAgent;
  readonly servicesFolder: string;
  readonly #setup: PeerSetup;

  private constructor(program: DavitProgram, agent: DavitAgent, setup: PeerSetup) {
    this.version = program.version;
    this.agent = agent;
    this.#setup = setup;
    this.servicesFolder = join(setup.folder, 'services');
  }

  static async start(program: DavitProgram, setup: PeerSetup): Promise<Davit> {
    return new Davit(program, await DavitAgent.start(program, setup), setup);
  }

  get url(): string {
    return this.agent.url;
  }

  get folder(): string {
    return this.agent.folder;
  }

  get daemonPid(): number {
    return this.agent.pid;
  }

  get startTime(): number {
    return this.agent.startTime;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.agent.headers;
  }

  deploy(service: string): Promise<number> {
    return this.#post(`/service/${service}/deploy`, this.spec(service));
  }

  restart(service: string): Promise<number> {
    return this.#post(`/service/${service}/restart`, {});
  }

  deployAll(): Promise<number> {
    const operations = this.#setup.services.map((service) => ({
      operation: 'deploy',
      service,
      body: this.spec(service),
    }));
    return this.#post('/api/v1/batch', { operations });
  }

  async stopService(service: string): Promise<number> {
    return (await this.stopFully(service)).milliseconds;
  }

  /** As `stopService`, with the whole answer. */
  stopFully(service: string): Promise<{ body: StopAnswer; milliseconds: number }> {
    return this.agent.askFor<StopAnswer>('POST', `/service/${service}/stop`, {});
  }

  outputBytes(service: string): number {
    return this.outputFiles(service).reduce((sum, file) => sum + statSync(file).size, 0);
  }

  /** The files that hold the standard output of a service, a file for each run, oldest first; ended ones may be compressed. */
  outputFiles(service: string): string[] {
    const folder = join(this.agent.data, 'logs', service);
    const names = readdirSync(folder).filter((name) => /\.stdout(\.zst)?$/.test(name));
    return names
      .filter((name) => !name.endsWith('.zst') || !names.includes(basename(name, '.zst')))
      .sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10))
      .map((name) => join(folder, name));
  }

  /** What a service wrote to its standard output, run by run, oldest first. */
  output(service: string): string[] {
    try {
      return this.outputFiles(service).map(readOutput);
    } catch (error) {
      // It was compressed just now.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return this.outputFiles(service).map(readOutput);
    }
  }

  statusRequest(service: string): StatusRequest {
    return { method: 'GET', path: `/service/${service}/status` };
  }

  /** The agent leaves its services running by design, so they are stopped before it. */
  async stop(): Promise<void> {
    const operations = this.#setup.services.map((service) => ({ operation: 'stop', service }));
    if (operations.length > 0) await this.#post('/api/v1/batch', { operations }).catch(() => 0);
    await this.agent.stop();
  }

  /** What a deploy of the service sends. */
  spec(service: string): Record<string, unknown> {
    const { command, proof, keepAll, stopTimeout, restarts } = this.#setup;
    return {
      command: command?.(service) ?? 'sleep 1000',
      cwd: this.servicesFolder,
      min_uptime: proof === '1s' ? '1s' : '0s',
      ...(restarts === undefined ? {} : { restart: restartPolicies[restarts] }),
      ...(keepAll ? { logs: { max_size: '100GB' } } : {}),
      ...(stopTimeout === undefined ? {} : { stop: { timeout: `${stopTimeout}s` } }),
    };
  }

  async #post(path: string, content: unknown): Promise<number> {
    return (await this.agent.askFor('POST', path, content)).milliseconds;
  }
}

function readOutput(file: string): string {
  const bytes = readFileSync(file);
  return (file.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString('latin1');
}
