import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ask } from '../ask.ts';
import { killAllOf } from '../processes.ts';
import { type Daemon, end, launch, plainEnvironment } from './daemon.ts';
import type { InstalledPackage } from './installation.ts';
import type { Peer, PeerSetup } from './peer.ts';
import type { Pm2Answer, Pm2App, Pm2Call } from './pm2_client.ts';

/** PM2, driven by its programmatic interface (`pm2.start`, `pm2.restart`) over its kept unix socket. */
export class Pm2 implements Peer {
  readonly name = 'PM2';
  readonly version: string;
  readonly folder: string;
  readonly servicesFolder: string;
  #daemon: Daemon | null = null;
  #client: ChildProcess | null = null;
  readonly #setup: PeerSetup;

  private constructor(version: string, setup: PeerSetup) {
    this.version = version;
    this.folder = setup.folder;
    this.#setup = setup;
    this.servicesFolder = join(setup.folder, 'services');
  }

  static async start(installed: InstalledPackage, setup: PeerSetup): Promise<Pm2> {
    const peer = new Pm2(installed.version, setup);
    for (const name of ['logs', 'pids', 'modules', 'services']) mkdirSync(join(setup.folder, name));
    const environment = {
      PM2_HOME: setup.folder,
      PM2_DISCRETE_MODE: 'true',
      SILENT: 'true',
      ...setup.environment,
    };
    peer.#daemon = await launch({
      command: process.execPath,
      args: [join(installed.folder, 'lib', 'Daemon.js')],
      folder: setup.folder,
      environment,
      answered: () => reachable(join(setup.folder, 'rpc.sock')),
    });
    peer.#client = fork(new URL('./pm2_client.ts', import.meta.url), [installed.folder], {
      env: { ...plainEnvironment(setup.folder), ...environment, PM2_PROGRAMMATIC: 'true' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    await peer.#call('connect');
    return peer;
  }

  get daemonPid(): number {
    return this.#daemon?.pid ?? 0;
  }

  get startTime(): number {
    return this.#daemon?.startTime ?? Number.NaN;
  }

  deploy(service: string): Promise<number> {
    return this.#call('start', service);
  }

  restart(service: string): Promise<number> {
    return this.#call('restart', service);
  }

  deployAll(): Promise<number> {
    return this.#call('start', ...this.#setup.services);
  }

  stopService(service: string): Promise<number> {
    return this.#call('stop', service);
  }

  outputBytes(service: string): number {
    const file = join(this.folder, 'logs', `${service}-out.log`);
    return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  }

  async stop(): Promise<void> {
    this.#client?.kill('SIGKILL');
    if (this.#daemon !== null) await end(this.#daemon, 'SIGKILL');
    await killAllOf(this.folder);
  }

  async #call(method: Pm2Call['method'], ...services: readonly string[]): Promise<number> {
    const client = this.#client;
    if (client === null) throw new Error('the PM2 client is not running');
    const answer = await ask<Pm2Answer>(client, { method, apps: services.map((name) => this.#app(name)) });
    if ('error' in answer) throw new Error(`PM2 could not ${method} ${services[0] ?? ''}: ${answer.error}`);
    return answer.milliseconds;
  }

  #app(name: string): Pm2App {
    const { command, stopTimeout, restarts } = this.#setup;
    const [script = '', ...args] = command?.(name) ?? ['sleep', '1000'];
    const impatience = stopTimeout === undefined ? {} : { kill_timeout: stopTimeout * 1000 };
    const tireless = restarts === undefined ? {} : { min_uptime: 100, max_restarts: 1_000_000 };
    const cwd = this.servicesFolder;
    return { name, script, args, interpreter: 'none', cwd, ...impatience, ...tireless };
  }
}

async function reachable(path: string): Promise<void> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
