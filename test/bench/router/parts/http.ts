import { inPercent, type Report } from '../../report.ts';
import type { Run } from '../../run.ts';
import { usingArena } from '../arena.ts';
import { columns, methodNotes, minimums, rows, samples } from '../comparison.ts';
import { middle } from '../load.ts';
import type { Proxies } from '../proxies.ts';
import { compete, type Result, type Trial } from '../tournament.ts';

const connections = 64;

/** Requests of one kind, whose answers are of so many bytes. */
export function ask(name: string, path: string, bytes: number): Trial {
  return {
    name,
    command: ({ programs }, port, { warmUp, seconds }) => [
      programs.http_load,
      port,
      path,
      connections,
      bytes,
      warmUp,
      seconds,
    ],
  };
}

const trials = [ask('12 B', '/small', 12), ask('100 KiB', '/large', 102_400)];
const wanted = { '12 B': { 'http-proxy-3': 1 }, '100 KiB': { 'http-proxy-3': 1 } };

/** Requests over kept connections, one at a time on each; the proxy has one process. */
export async function measureHttp(run: Run<Proxies>): Promise<Report> {
  const results = await usingArena(run.sandbox, (arena) =>
    compete(run, arena, {
      trials,
      processes: 1,
      cores: arena.cores.proxy,
      loadCores: arena.cores.load,
    }),
  );
  const comparison = { unit: 'requests/s', results, wanted };
  return {
    title: `HTTP requests over ${connections} connections, one process`,
    columns: columns(comparison.unit),
    rows: rows(comparison),
    minimums: minimums(comparison),
    notes: methodNotes,
    samples: samples(comparison),
  };
}

/** The same with two processes that listen on one port. Everything may run everywhere. */
export async function measureHttpWithTwo(run: Run<Proxies>): Promise<Report> {
  const results = await usingArena(
    run.sandbox,
    (arena) =>
      compete(run, arena, { trials, processes: 2, cores: arena.cores.all, loadCores: arena.cores.all }),
    ({ all }) => all,
  );
  const comparison = { unit: 'requests/s', results, wanted };
  return {
    title: `HTTP requests over ${connections} connections, two processes`,
    columns: [...columns(comparison.unit), 'the busier one'],
    rows: rows(comparison).map((row, at) => [...row, busier(results[at])]),
    minimums: minimums(comparison),
    notes: [
      'Load and service have to share the cores with the proxy where there are only two of them: what was measured is what is left to it, and what a core of it does is what can be compared.',
      'The busier one: what of the processor time of the proxy one of its two processes used, of those that are processes (HAProxy has threads).',
      ...methodNotes.slice(1),
    ],
    samples: samples(comparison),
  };
}

function busier(result: Result | undefined): string {
  if (result === undefined || (result.rounds[0]?.shares.length ?? 0) < 2) return '';
  return inPercent(middle(result.rounds, ({ shares }) => Math.max(...shares)));
}
