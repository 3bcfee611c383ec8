import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { plainEnvironment } from '../peers/daemon.ts';
import { processorTime } from '../processes.ts';
import { median } from '../statistics.ts';
import type { RunningProxy } from './proxies/proxy.ts';

/** What a load measured, and what the proxy used for it. */
export interface LoadResult {
  /** Requests, messages or connections per second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Cores that the proxy kept busy, on the average. */
  readonly cores: number;
  /** What of it each of its processes used; the sum is 1. */
  readonly shares: readonly number[];
}

interface Measured {
  readonly rounds: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
}

export interface LoadOptions {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Whose folder and cores it has. */
  readonly folder: string;
  readonly cores: string;
}

/** A program of the bench on cores of its own, and the lines that it prints. */
export function startProgram({ command, folder, cores }: LoadOptions): {
  readonly child: ChildProcess;
  readonly lines: AsyncIterator<string>;
} {
  const child = spawn('taskset', ['--cpu-list', cores, ...command], {
    cwd: folder,
    env: plainEnvironment(folder),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('a program of the bench has no output');
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

/** The next line; throws where it is not the expected one, such as when the program ended with an error. */
export async function expectLine(lines: AsyncIterator<string>, expected: string): Promise<void> {
  const { value } = await lines.next();
  if (value !== expected) throw new Error(`a program of the bench said ${value} instead of "${expected}"`);
}

/** Puts a load on a proxy, once. */
export async function runLoad(proxy: RunningProxy, options: LoadOptions): Promise<LoadResult> {
  const { child, lines } = startProgram(options);
  const ended = once(child, 'exit');
  const used = () => proxy.pids().map(processorTime);
  await expectLine(lines, 'measure');
  const before = used();
  await expectLine(lines, 'measured');
  const spent = used().map((time, at) => time - (before[at] ?? 0));
  const { rounds, seconds, p50, p99 } = JSON.parse((await lines.next()).value) as Measured;
  await ended;
  const all = spent.reduce((sum, one) => sum + one, 0);
  return { rate: rounds / seconds, p50, p99, cores: all / seconds, shares: spent.map((one) => one / all) };
}

/** What would go through if the proxy had a core of its own and all of it: as much as for the processor time that it used. */
export function ratePerCore({ rate, cores }: LoadResult): number {
  return rate / cores;
}

export function middle(results: readonly LoadResult[], of: (result: LoadResult) => number): number {
  return median(results.map(of));
}
