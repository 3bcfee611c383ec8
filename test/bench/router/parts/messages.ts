import type { Report } from '../../report.ts';
import type { Run } from '../../run.ts';
import { usingArena } from '../arena.ts';
import { columns, methodNotes, minimums, rows, samples } from '../comparison.ts';
import type { Proxies } from '../proxies.ts';
import { compete, type Trial } from '../tournament.ts';

function echo(name: string, connections: number, bytes: number): Trial {
  return {
    name,
    command: ({ programs }, port, { warmUp, seconds }) => [
      programs.websocket_load,
      'echo',
      port,
      connections,
      bytes,
      warmUp,
      seconds,
    ],
  };
}

const trials = [
  echo('64 B, 100 connections', 100, 64),
  echo('64 B, 1,000 connections', 1_000, 64),
  echo('1 KiB, 100 connections', 100, 1_024),
  echo('1 KiB, 1,000 connections', 1_000, 1_024),
  echo('64 KiB, 100 connections', 100, 65_536),
];

/** The ratios to nginx and HAProxy are those that the technique reached when it was chosen. */
const wanted = {
  '64 B, 100 connections': { 'http-proxy-3': 1.3, 'nginx, default buffers': 0.75, HAProxy: 0.87 },
  '64 B, 1,000 connections': { 'http-proxy-3': 1.3, 'nginx, default buffers': 0.73, HAProxy: 0.83 },
  '1 KiB, 100 connections': { 'http-proxy-3': 1.3, 'nginx, default buffers': 0.73, HAProxy: 0.84 },
  '1 KiB, 1,000 connections': { 'http-proxy-3': 1.3, 'nginx, default buffers': 0.72, HAProxy: 0.75 },
  '64 KiB, 100 connections': { HAProxy: 0.9 },
};

/** Messages over WebSocket connections that stay: one at a time on each, every byte of its echo checked. */
export async function measureMessages(run: Run<Proxies>): Promise<Report> {
  const results = await usingArena(run.sandbox, (arena) =>
    compete(run, arena, {
      trials,
      processes: 1,
      cores: arena.cores.proxy,
      loadCores: arena.cores.load,
    }),
  );
  const comparison = { unit: 'messages/s', results, wanted };
  return {
    title: 'WebSocket messages and their echoes',
    columns: columns(comparison.unit),
    rows: rows(comparison),
    minimums: minimums(comparison),
    notes: methodNotes,
    samples: samples(comparison),
  };
}
