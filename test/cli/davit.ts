import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runCli } from '../../src/cli/program.ts';
import { stubs } from './stubs.ts';

const program = [process.execPath, resolve(import.meta.dirname, 'entry.ts')] as const;

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A place of its own for whoever runs the command line: home, settings and the data of an agent. */
export class Person implements Disposable {
  readonly home = mkdtempSync(join(tmpdir(), 'davit-cli-'));
  readonly environment: Record<string, string>;

  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.home,
      TERM: 'xterm',
      DAVIT_DATA: join(this.home, 'data'),
      ...environment,
    };
  }

  path(...names: string[]): string {
    return join(this.home, ...names);
  }

  /** Starts davit and leaves it running. */
  start(words: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
    const [node, ...rest] = [...program, ...words];
    return spawn(node, rest, { cwd: this.home, env: { ...this.environment, ...environment } });
  }

  /** Runs davit to its end, inside this process: a hundred times as fast, and all the same but for signals and terminals. */
  async davit(
    words: readonly string[],
    input = '',
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Ended> {
    const [out, err] = [new PassThrough(), new PassThrough()];
    const ended_ = Promise.all([text(out), text(err)]);
    const folder = process.cwd();
    process.chdir(this.home);
    try {
      const code = await runCli(words, {
        ...stubs(out),
        environment: { ...this.environment, ...environment },
        input: Readable.from([input]),
        out,
        err,
      });
      out.end();
      err.end();
      const [said, noted] = await ended_;
      return { code, out: said, err: noted };
    } finally {
      process.chdir(folder);
    }
  }

  /** Runs davit on a terminal of that width; what it shows, with what it types. */
  async onTerminal(
    words: readonly string[],
    columns: number,
    environment: Record<string, string> = {},
  ): Promise<Ended> {
    const child = this.startOnTerminal(words, columns, environment);
    child.stdin?.end();
    return await ended(child);
  }

  startOnTerminal(
    words: readonly string[],
    columns: number,
    environment: Record<string, string> = {},
  ): ChildProcess {
    const line = [...program, ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    return spawn('script', ['-qec', `stty cols ${columns} rows 24; exec ${line}`, '/dev/null'], {
      cwd: this.home,
      env: { ...this.environment, ...environment },
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** What a process wrote, and how it ended. */
export async function ended(child: ChildProcess): Promise<Ended> {
  const exit = new Promise<number | null>((resolve_) => child.once('close', resolve_));
  const [out, err] = await Promise.all(
    [child.stdout, child.stderr].map((stream) => (stream ? text(stream) : '')),
  );
  return { code: await exit, out: out ?? '', err: err ?? '' };
}

/** Resolves with what a process has written on a stream as soon as it fits. */
export async function written(
  child: ChildProcess,
  stream: 'stdout' | 'stderr',
  fits: RegExp,
): Promise<string> {
  let seen = '';
  const source = child[stream];
  if (source === null) throw new Error(`the process has no ${stream}`);
  source.setEncoding('utf8');
  return await new Promise((resolve_, reject) => {
    source.on('data', (chunk: string) => {
      seen += chunk;
      if (fits.test(seen)) resolve_(seen);
    });
    source.once('end', () => reject(new Error(`${stream} ended with ${JSON.stringify(seen)}`)));
  });
}
