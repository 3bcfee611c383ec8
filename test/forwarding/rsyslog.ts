import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../helpers/free_port.ts';
import type { CertificateFiles } from '../helpers/server_certificates.ts';
import { until } from '../helpers/system.ts';

const program = '/usr/sbin/rsyslogd';

/** Why rsyslog cannot be tested with; false: it can. */
export const missingRsyslog = existsSync(program) ? false : 'rsyslog is not installed';
export const missingRsyslogTls =
  missingRsyslog ||
  (spawnSync('sh', ['-c', 'ls /usr/lib/*/rsyslog/lmnsd_ossl.so']).status === 0
    ? false
    : 'rsyslog-openssl is not installed');

/** A message as rsyslog has understood it. */
export interface UnderstoodMessage {
  readonly priority: string;
  readonly time: string;
  readonly app: string;
  readonly process: string;
  readonly id: string;
  readonly data: string;
  readonly text: string;
}

/** A real rsyslog that takes syslog over TCP and writes down what it understood. */
export class Rsyslog implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'davit-rsyslog-'));
  readonly #tls: CertificateFiles | undefined;
  #child: ChildProcess | undefined;
  port = 0;

  private constructor(tls?: CertificateFiles) {
    this.#tls = tls;
  }

  static async start(tls?: CertificateFiles): Promise<Rsyslog> {
    const rsyslog = new Rsyslog(tls);
    await rsyslog.up();
    return rsyslog;
  }

  get messages(): UnderstoodMessage[] {
    const file = join(this.folder, 'messages');
    if (!existsSync(file)) return [];
    const records = readFileSync(file, 'utf8').split('\u001e\n').slice(0, -1);
    return records.map((record) => {
      const [priority = '', time = '', app = '', process = '', id = '', data = '', text = ''] =
        record.split('\u001f');
      return { priority, time, app, process, id, data, text };
    });
  }

  get numbers(): number[] {
    return this.messages.map(({ text }) => Number(text));
  }

  async up(): Promise<void> {
    // What one that was killed left would keep the next one from starting.
    rmSync(join(this.folder, 'pid'), { force: true });
    if (this.port === 0) this.port = await freePort();
    const configuration = join(this.folder, 'rsyslog.conf');
    writeFileSync(configuration, this.#configuration());
    this.#child = spawn(program, ['-n', '-f', configuration, '-i', join(this.folder, 'pid')], {
      stdio: 'ignore',
    });
    await until('rsyslog listens', () => canConnect(this.port));
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  #configuration(): string {
    const fields = ['pri', 'timereported:::date-rfc3339', 'app-name', 'procid', 'msgid', 'structured-data'];
    const record = [...fields, 'msg'].map((field) => `%${field}%`).join('\u001f');
    const driver = this.#tls
      ? 'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"'
      : '';
    const certificate = this.#tls
      ? `DefaultNetstreamDriverCAFile="${this.#tls.cert_file}" DefaultNetstreamDriverCertFile="${this.#tls.cert_file}" DefaultNetstreamDriverKeyFile="${this.#tls.key_file}"`
      : '';
    return [
      `global(workDirectory="${this.folder}" maxMessageSize="16k" ${certificate})`,
      `module(load="imtcp" ${driver})`,
      `template(name="record" type="string" string="${record}\u001e\\n")`,
      'ruleset(name="write") {',
      `  action(type="omfile" file="${join(this.folder, 'messages')}" template="record")`,
      '}',
      `input(type="imtcp" port="${this.port}" address="127.0.0.1" ruleset="write")`,
    ].join('\n');
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
