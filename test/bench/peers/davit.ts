import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, HttpClient } from '../http_client.ts';
import { killAllOf } from '../processes.ts';
import { type Daemon, end, launch } from './daemon.ts';
import type { HttpPeer, PeerSetup, StatusRequest } from './peer.ts';

/** The command that runs davit, and what it is. */
export interface DavitProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly version: string;
}

/** The limit is kept, but out of reach: one key sends all that the load generator can. */
const unlimited = 'rate_limits: { authenticated: { requests: 1000000000, per: 1s } }\n';

const root = join(import.meta.dirname, '..', '..', '..');

/** The built binary, or the source when it is asked for or nothing has been built. */
export async function findDavit(fromSource: boolean): Promise<DavitProgram> {
  const binary = join(root, 'dist', 'davit');
  const built = !fromSource && existsSync(binary);
  const command = built ? binary : process.execPath;
  const args = built ? [] : [join(root, 'src', 'main.ts')];
  const { stdout } = await promisify(execFile)(command, [...args, '--version']);
  const version = stdout.trim().replace(/^davit /, '');
  return { command, args, version: `${version}, ${built ? 'binary' : 'from source'}` };
}

/** A davit agent with a data directory of its own, driven over one kept loopback connection with its API key. */
export class Davit implements HttpPeer {
  readonly name = 'davit';
  readonly version: string;
  readonly url: string;
  readonly folder: string;
  readonly servicesFolder: string;
  readonly #data: string;
  readonly #setup: PeerSetup;
  readonly #client: HttpClient;
  #headers: Record<string, string> = {};
  #daemon: Daemon | null = null;

  private constructor(version: string, url: string, setup: PeerSetup) {
    this.version = version;
    this.url = url;
    this.#setup = setup;
    this.folder = setup.folder;
    this.#data = join(setup.folder, 'data');
    this.servicesFolder = join(setup.folder, 'services');
    this.#client = new HttpClient(url);
  }

  static async start(program: DavitProgram, setup: PeerSetup): Promise<Davit> {
    const address = `127.0.0.1:${await freePort()}`;
    const peer = new Davit(program.version, `http://${address}`, setup);
    mkdirSync(peer.servicesFolder);
    const config = join(setup.folder, 'davit.yaml');
    writeFileSync(config, unlimited);
    peer.#daemon = await launch({
      command: program.command,
      args: [...program.args, 'agent', '--config', config, '--listen', address, '--data', peer.#data],
      folder: setup.folder,
      answered: async () => void (await peer.#client.send({ method: 'GET', path: '/health' })),
    });
    const key = readFileSync(join(peer.#data, 'admin.key'), 'utf8').trim();
    peer.#headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    return peer;
  }

  get daemonPid(): number {
    return this.#daemon?.pid ?? 0;
  }

  get startTime(): number {
    return this.#daemon?.startTime ?? Number.NaN;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#headers;
  }

  deploy(service: string): Promise<number> {
    return this.#post(`/service/${service}/deploy`, this.#spec());
  }

  restart(service: string): Promise<number> {
    return this.#post(`/service/${service}/restart`, {});
  }

  deployAll(): Promise<number> {
    const operations = this.#setup.services.map((service) => ({
      operation: 'deploy',
      service,
      body: this.#spec(),
    }));
    return this.#post('/api/v1/batch', { operations });
  }

  statusRequest(service: string): StatusRequest {
    return { method: 'GET', path: `/service/${service}/status` };
  }

  /** The agent leaves its services running by design, so they are stopped before it. */
  async stop(): Promise<void> {
    const operations = this.#setup.services.map((service) => ({ operation: 'stop', service }));
    await this.#post('/api/v1/batch', { operations }).catch(() => 0);
    this.#client.close();
    if (this.#daemon !== null) await end(this.#daemon);
    await killAllOf(this.folder);
  }

  #spec(): Record<string, string> {
    const minUptime = this.#setup.proof === 'none' ? '0s' : '1s';
    return { command: 'sleep 1000', cwd: this.servicesFolder, min_uptime: minUptime };
  }

  async #post(path: string, content: unknown): Promise<number> {
    const body = JSON.stringify(content);
    const answer = await this.#client.send({ method: 'POST', path, headers: this.#headers, body });
    const failed = (JSON.parse(answer.body) as { failed?: number }).failed ?? 0;
    if (answer.status !== 200 || failed > 0) {
      throw new Error(`davit answered POST ${path} with ${answer.status}: ${answer.body.slice(0, 500)}`);
    }
    return answer.milliseconds;
  }
}
