import { spawn } from 'node:child_process';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';

export interface ToolOptions {
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds after which it is ended. */
  readonly timeout: number;
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Whom it runs as; default: the caller. */
  readonly uid?: number;
  readonly gid?: number;
}

/** What came of a program that was run to its end. */
export interface ToolOutcome {
  readonly output: string;
  /** What it wrote on standard error. */
  readonly complaint: string;
  /** Why it did not do its work, in words; null: it did. */
  readonly failure: string | null;
}

/** The most that is kept of each stream, in characters. */
const longestOutput = 1_000_000;
/** Milliseconds between being asked to end and being killed. */
const grace = 2_000;

/** Runs a program to its end. Never rejects. A Ctrl-C of the terminal does not reach it. */
export function runTool(file: string, args: readonly string[], options: ToolOptions): Promise<ToolOutcome> {
  const { timeout, signal, ...rest } = options;
  const timer = AbortSignal.timeout(timeout);
  const ended = signal === undefined ? timer : AbortSignal.any([timer, signal]);
  return new Promise((resolve) => {
    let [output, complaint] = ['', ''];
    const end = (failure: string | null) => resolve({ output, complaint, failure });
    // In a session of its own, so that a terminal's signals go to us alone.
    const child = spawn(file, args, { ...rest, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output = kept(output, text)));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = kept(complaint, text)));
    const stop = () => {
      child.kill();
      setTimeout(() => child.kill('SIGKILL'), grace).unref();
    };
    if (ended.aborted) stop();
    ended.addEventListener('abort', stop, { once: true });
    child.once('error', (error) =>
      end(systemErrorCode(error) === 'ENOENT' ? `there is no ${file}` : errorMessage(error)),
    );
    child.once('exit', () => ended.removeEventListener('abort', stop));
    // A descendant that keeps the streams open is not waited for.
    child.once('exit', (code, killer) => {
      const late = setTimeout(() => child.stdout.destroy() && child.stderr.destroy(), grace).unref();
      child.once('close', () => {
        clearTimeout(late);
        if (timer.aborted) end(`it did not end within ${timeout / 1_000} s`);
        else if (code !== 0) end(complaint.trim() || `it ended with ${killer ?? `exit code ${code}`}`);
        else end(null);
      });
    });
  });
}

function kept(text: string, more: string): string {
  return (text + more).slice(-longestOutput);
}
