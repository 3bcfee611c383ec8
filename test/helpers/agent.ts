import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { isRunning, markOf, processesWith, until } from './system.ts';

/** What is driven: the built binary where DAVIT_BINARY names one, the source otherwise. */
export const davitCommand: readonly [string, ...string[]] = process.env['DAVIT_BINARY']
  ? [resolve(process.env['DAVIT_BINARY'])]
  : [process.execPath, resolve(import.meta.dirname, '../../src/main.ts')];

export interface AgentOptions {
  /** Default: a new folder that goes with the agent. */
  readonly data?: string;
  /** What stands in its configuration file. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Instead of `config`: a file that the test writes itself; it says where to listen. */
  readonly configFile?: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs what follows it in its own place, such as `prlimit --nofile=64`. */
  readonly under?: readonly string[];
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  readonly body: any;
  readonly headers: Headers;
}

export interface RunningAgent {
  readonly url: string;
  readonly data: string;
  readonly key: string;
  readonly child: ChildProcess;
  /** Its log so far, one JSON object a line. */
  readonly log: Record<string, unknown>[];
  /** Sends a request with the admin key, unless other headers say otherwise. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** The pids of every living process that carries the service's mark. */
  tree(service: string): Promise<number[]>;
  /** Repeats a request until its answer fits, and resolves with that answer. */
  until(method: string, path: string, fits: (body: Answer['body']) => boolean): Promise<Answer['body']>;
  /** Resolves with the log record that fits, also one from before. */
  logged(fits: (record: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** Ends it by a signal and resolves with its exit code. Services stay, as they do for any agent. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
  /** Stops every service, then the agent, and removes its folder. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts a real agent on a free port and waits until it listens. */
export async function startAgent(options: AgentOptions = {}): Promise<RunningAgent> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'davit-test-')));
  const flags = [...(options.flags ?? [])];
  if (options.config) {
    const file = join(await mkdtemp(join(tmpdir(), 'davit-config-')), 'davit.yaml');
    await writeFile(file, stringify(options.config));
    flags.push('--config', file);
  }
  const [program = '', ...first] = [...(options.under ?? []), ...davitCommand];
  if (options.configFile) flags.push('--config', options.configFile);
  const listen = options.configFile || options.config?.['listen'] ? [] : ['--listen', '127.0.0.1:0'];
  const child = spawn(program, [...first, 'agent', ...listen, '--data', data, ...flags], {
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', ...options.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return new Agent(child, data).started();
}

class Agent implements RunningAgent {
  readonly child: ChildProcess;
  readonly data: string;
  readonly log: Record<string, unknown>[] = [];
  url = '';
  key = '';
  readonly #exited: Promise<unknown>;
  readonly #marks = new Map<string, string>();
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcess, data: string) {
    this.child = child;
    this.data = data;
    this.#exited = once(child, 'exit').then(() => this.#wake());
    if (child.stderr) createInterface({ input: child.stderr }).on('line', (line) => this.#read(line));
  }

  async started(): Promise<this> {
    const { url } = await this.logged((record) => typeof record['url'] === 'string');
    this.url = String(url);
    this.key = (await readFile(join(this.data, 'admin.key'), 'utf8')).trim();
    return this;
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.key}`, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = text !== '' && response.headers.get('content-type')?.includes('json');
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  }

  async tree(service: string): Promise<number[]> {
    const { pid } = (await this.call('GET', `/service/${service}/status`)).body;
    if (pid !== undefined) this.#marks.set(service, markOf(pid));
    const mark = this.#marks.get(service);
    return mark === undefined ? [] : processesWith(mark);
  }

  async until(
    method: string,
    path: string,
    fits: (body: Answer['body']) => boolean,
  ): Promise<Answer['body']> {
    let seen: Answer['body'];
    await until(`${method} ${path} answers as expected`, async () => {
      seen = (await this.call(method, path)).body;
      return fits(seen);
    });
    return seen;
  }

  async logged(fits: (record: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.log.find(fits);
      if (found) return found;
      if (this.child.exitCode !== null)
        throw new Error(`the agent ended: ${JSON.stringify(this.log, null, 2)}`);
      await new Promise<void>((resume) => this.#waiting.add(resume));
    }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    await this.#exited;
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const services: Record<string, unknown> = (await this.call('GET', '/services')).body;
      // Those of the agent itself can be deleted by nobody, and end only with the configuration.
      const [own = [], others = []] = [true, false].map((isOwn) =>
        Object.keys(services).filter((service) => service.startsWith('davit.') === isOwn),
      );
      const operations = others.map((service) => ({ operation: 'delete', service }));
      if (operations.length > 0) await this.call('POST', '/api/v1/batch', { operations });
      const left = (await Promise.all(own.map((service) => this.#processesOf(service)))).flat();
      await this.end();
      for (const pid of left.filter(isRunning)) process.kill(pid, 'SIGKILL');
    }
    await rm(this.data, { recursive: true, force: true });
  }

  /** The pids of every instance of a service, with all that they started. */
  async #processesOf(service: string): Promise<number[]> {
    const { instances = [] } = (await this.call('GET', `/api/v1/services/${service}/instances`)).body;
    const pids: number[] = instances.flatMap(({ pid }: { pid?: number }) => pid ?? []);
    return pids.filter(isRunning).flatMap((pid) => processesWith(markOf(pid)));
  }

  #read(line: string): void {
    this.log.push(line.startsWith('{') ? JSON.parse(line) : { text: line });
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
