import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, HttpClient } from '../http_client.ts';
import { killAllOf } from '../processes.ts';
import { type Daemon, end, launch } from './daemon.ts';
import type { InstalledSupervisor } from './installation.ts';
import type { HttpPeer, PeerSetup, StatusRequest } from './peer.ts';

const headers = { 'content-type': 'text/xml' };

function methodCall(method: string, ...parameters: (string | boolean)[]): string {
  const values = parameters.map((value) =>
    typeof value === 'string' ? `<string>${value}</string>` : `<boolean>${value ? 1 : 0}</boolean>`,
  );
  const params = values.map((value) => `<param><value>${value}</value></param>`).join('');
  return `<?xml version='1.0'?><methodCall><methodName>supervisor.${method}</methodName><params>${params}</params></methodCall>`;
}

/**
 * The defaults, but for what the measurement is about. `minfds` is what 5 descriptors per service need and not
 * more, because each child closes that many before it runs.
 */
function configuration({ folder, services, ...options }: PeerSetup, port: number): string {
  const programs = services.map((service) =>
    [
      `[program:${service}]`,
      `command=${options.command?.(service).join(' ') ?? 'sleep 1000'}`,
      `directory=${folder}`,
      ...(options.keepAll
        ? [`stdout_logfile=${outputFile(folder, service)}`, 'stdout_logfile_maxbytes=0']
        : []),
      ...(options.stopTimeout === undefined
        ? []
        : [`stopwaitsecs=${options.stopTimeout}`, 'stopasgroup=true', 'killasgroup=true']),
      'autostart=false',
      ...(options.restarts === undefined ? [] : ['autorestart=true']),
      `startsecs=${options.proof === '1s' ? 1 : 0}`,
    ].join('\n'),
  );
  return [
    '[supervisord]',
    'nodaemon=true',
    'silent=true',
    `minfds=${Math.max(1024, services.length * 5 + 100)}`,
    `logfile=${join(folder, 'supervisord.log')}`,
    `pidfile=${join(folder, 'supervisord.pid')}`,
    `childlogdir=${folder}`,
    '[rpcinterface:supervisor]',
    'supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface',
    '[inet_http_server]',
    `port=127.0.0.1:${port}`,
    ...programs,
    '',
  ].join('\n');
}

function outputFile(folder: string, service: string): string {
  return join(folder, `${service}.stdout`);
}

/** supervisord, driven by XML-RPC over one kept loopback connection, without a password. */
export class Supervisord implements HttpPeer {
  readonly name = 'supervisord';
  readonly version: string;
  readonly url: string;
  readonly headers = headers;
  readonly folder: string;
  readonly servicesFolder: string;
  readonly #client: HttpClient;
  #daemon: Daemon | null = null;

  private constructor(version: string, url: string, folder: string) {
    this.version = version;
    this.url = url;
    this.folder = folder;
    this.servicesFolder = folder;
    this.#client = new HttpClient(url);
  }

  static async start(installed: InstalledSupervisor, setup: PeerSetup): Promise<Supervisord> {
    const port = await freePort();
    const file = join(setup.folder, 'supervisord.conf');
    writeFileSync(file, configuration(setup, port));
    const peer = new Supervisord(installed.version, `http://127.0.0.1:${port}`, setup.folder);
    peer.#daemon = await launch({
      command: installed.python,
      args: ['-m', 'supervisor.supervisord', '-c', file],
      folder: setup.folder,
      environment: { PYTHONPATH: installed.folder, ...setup.environment },
      answered: async () => void (await peer.#call('getState')),
    });
    return peer;
  }

  get daemonPid(): number {
    return this.#daemon?.pid ?? 0;
  }

  get startTime(): number {
    return this.#daemon?.startTime ?? Number.NaN;
  }

  deploy(service: string): Promise<number> {
    return this.#call('startProcess', service, true);
  }

  async restart(service: string): Promise<number> {
    return (
      (await this.#call('stopProcess', service, true)) + (await this.#call('startProcess', service, true))
    );
  }

  deployAll(): Promise<number> {
    return this.#call('startAllProcesses', true);
  }

  stopService(service: string): Promise<number> {
    return this.#call('stopProcess', service, true);
  }

  outputBytes(service: string): number {
    return statSync(outputFile(this.folder, service), { throwIfNoEntry: false })?.size ?? 0;
  }

  statusRequest(service: string): StatusRequest {
    return { method: 'POST', path: '/RPC2', body: methodCall('getProcessInfo', service) };
  }

  async stop(): Promise<void> {
    this.#client.close();
    if (this.#daemon !== null) await end(this.#daemon, 'SIGKILL');
    await killAllOf(this.folder);
  }

  async #call(method: string, ...parameters: (string | boolean)[]): Promise<number> {
    const body = methodCall(method, ...parameters);
    const answer = await this.#client.send({ method: 'POST', path: '/RPC2', headers, body });
    if (answer.status !== 200 || answer.body.includes('<fault>')) {
      throw new Error(
        `supervisord answered ${method} ${parameters[0] ?? ''} with ${answer.status}: ${answer.body}`,
      );
    }
    return answer.milliseconds;
  }
}
