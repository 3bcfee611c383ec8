import { readFileSync } from 'node:fs';
import { DavitError, systemErrorCode } from '../lib/errors.ts';
import type { Environment } from './terminal.ts';
import { runTool, type ToolOutcome } from './tool.ts';

/** What systemd knows of the unit of an agent. */
export interface UnitFacts {
  /** systemd's ActiveState: `active` means ready. */
  readonly state: string;
  /** The pid of the agent; 0: none runs. */
  readonly pid: number;
  /** The program of ExecStart. */
  readonly program: string;
  /** The words after `agent` of ExecStart. */
  readonly flags: readonly string[];
  /** The environment that the unit gives to the agent. */
  readonly environment: Readonly<Record<string, string>>;
  /** The account that it runs as; '' for the one of its systemd. */
  readonly user: string;
  /** Where the unit stands. */
  readonly file: string;
}

/** Whether there is an agent that is ready, or just reads its configuration again. */
export function isUp({ state }: UnitFacts): boolean {
  return state === 'active' || state === 'reloading';
}

const properties = [
  'LoadState',
  'ActiveState',
  'MainPID',
  'ExecStart',
  'Environment',
  'EnvironmentFiles',
  'User',
  'FragmentPath',
];
/** Milliseconds for what systemd answers at once. */
const atOnce = 20_000;
/** Milliseconds that a stop may take: a unit's TimeoutStopSec, and then some. */
const stopTimeout = 120_000;
/** What systemd notes of every service that an agent leaves running. */
const aboutServices = /left-over process|unclean termination|remains running after unit stopped/;
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The unit of an agent, in the systemd of the system or of the caller's account. */
export class Unit {
  readonly name: string;
  readonly isUser: boolean;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(name: string, isUser: boolean, environment: Environment) {
    this.name = name;
    this.isUser = isUser;
    this.#environment = isUser ? withoutOwn(environment) : { PATH: environment['PATH'] || systemPath };
  }

  /** Throws `unit_unusable` when there is no such unit, or it runs no agent. */
  async read(): Promise<UnitFacts> {
    const args = properties.flatMap((property) => ['--property', property]);
    const { output, failure } = await this.#systemctl(['show', ...args, '--', this.name]);
    if (failure !== null) throw unusable(`systemd does not tell of ${this.name}: ${failure}`);
    const found = output.split('\n').map((line) => /^(\w+)=(.*)$/.exec(line) ?? []);
    const values = (name: string) => found.filter(([, key]) => key === name).map(([, , value = '']) => value);
    const value = (name: string) => values(name)[0] ?? '';
    if (value('LoadState') !== 'loaded') {
      throw unusable(`systemd has no unit ${this.name} (${value('LoadState')}); name another with --unit`);
    }
    const environment = {
      ...(this.isUser ? this.#environment : { PATH: systemPath }),
      ...Object.assign({}, ...quotedWords(value('Environment')).map(assignment)),
      ...Object.assign({}, ...values('EnvironmentFiles').map(readEnvironmentFile)),
    };
    return {
      state: value('ActiveState'),
      pid: Number(value('MainPID')),
      ...this.#command(value('ExecStart'), Number(value('MainPID')), environment),
      environment,
      user: value('User'),
      file: value('FragmentPath'),
    };
  }

  /** Resolves when the agent is ready, with null, or with why it is not. */
  async restart(timeout: number, signal?: AbortSignal): Promise<string | null> {
    await this.#systemctl(['reset-failed', '--', this.name]);
    const { failure } = await this.#systemctl(['restart', '--', this.name], timeout, signal);
    return failure;
  }

  async stop(): Promise<string | null> {
    return (await this.#systemctl(['stop', '--', this.name], stopTimeout)).failure;
  }

  /** Ends the agent at once, and no service. */
  async kill(): Promise<void> {
    // The older name of the option is known to every version.
    await this.#systemctl(['kill', '--kill-who=main', '--signal=KILL', '--', this.name]);
  }

  /** The newest lines that the agent logged since then, oldest first. */
  async lastLines(since: Date): Promise<string[]> {
    const seconds = `@${Math.floor(since.getTime() / 1_000)}`;
    const which = this.isUser ? '--user-unit' : '--unit';
    const args = [which, this.name, '--since', seconds, '--lines', '1000', '--no-pager', '--output', 'cat'];
    const { output } = await runTool('journalctl', args, { env: this.#environment, timeout: atOnce });
    const lines = output.split('\n').filter((line) => line !== '' && !aboutServices.test(line));
    return lines.slice(-20);
  }

  #systemctl(args: readonly string[], timeout = atOnce, signal?: AbortSignal): Promise<ToolOutcome> {
    const scope = this.isUser ? ['--user'] : [];
    const options = { env: this.#environment, timeout, ...(signal && { signal }) };
    return runTool('systemctl', [...scope, ...args], options);
  }

  #command(
    text: string,
    pid: number,
    environment: Readonly<Record<string, string>>,
  ): Pick<UnitFacts, 'program' | 'flags'> {
    const [, program = '', joined = ''] = /\bpath=(.*?) ; argv\[\]=(.*?) ; ignore_errors=/.exec(text) ?? [];
    // The names of variables stand for their values, in braces or without.
    const line = joined.replace(/\$\{?(\w+)\}?/g, (_, name: string) => environment[name] ?? '');
    const running = commandLine(pid);
    // Older systemctl joins the words by spaces, newer puts such words in quotes; the process has them apart.
    const words = running.join(' ') === line ? running : quotedWords(line);
    if (words[1] !== 'agent') throw unusable(`${this.name} does not start "davit agent", but: ${joined}`);
    return { program, flags: words.slice(2) };
  }
}

function unusable(message: string): DavitError {
  return new DavitError('unit_unusable', message);
}

/** What a user's systemd and its agent need of the caller's environment, and not what steers this command line. */
function withoutOwn(environment: Environment): Record<string, string> {
  const entries = Object.entries(environment).filter(([name]) => !name.startsWith('DAVIT_'));
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function commandLine(pid: number): string[] {
  try {
    return pid > 0 ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1) : [];
  } catch {
    return [];
  }
}

/** The words of a list as systemctl shows it, where those with special characters stand in double quotes. */
function quotedWords(text: string): string[] {
  const words = text.matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/g);
  return [...words].map(([, quoted, plain]) => quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '');
}

function assignment(text: string): Record<string, string> {
  const [, name, value = ''] = /^(\w+)=(.*)$/s.exec(text) ?? [];
  return name === undefined ? {} : { [name]: value };
}

/** Reads a file as EnvironmentFile= does; one that may be missing is shown with a note. */
function readEnvironmentFile(shown: string): Record<string, string> {
  const [, file = '', mayBeMissing] = /^(.*) \(ignore_errors=(?:(yes)|no)\)$/.exec(shown) ?? [];
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (mayBeMissing && systemErrorCode(error) === 'ENOENT') return {};
    throw unusable(`the unit's environment file ${file} cannot be read`);
  }
  const lines = text
    .replaceAll('\\\n', '')
    .split('\n')
    .map((line) => line.trim());
  const settings = lines.filter((line) => !/^[#;]/.test(line)).map(assignment);
  return Object.fromEntries(
    Object.entries(Object.assign({}, ...settings) as Record<string, string>).map(([name, value]) => [
      name,
      value.trim().replace(/^(["'])(.*)\1$/, '$2'),
    ]),
  );
}
