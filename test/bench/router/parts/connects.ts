import type { Report } from '../../report.ts';
import type { Run } from '../../run.ts';
import { usingArena } from '../arena.ts';
import { columns, methodNotes, minimums, rows, samples } from '../comparison.ts';
import type { Proxies } from '../proxies.ts';
import { compete, type Trial } from '../tournament.ts';

const trial: Trial = {
  name: '64 at once',
  command: ({ programs }, port, { warmUp, seconds }) => [
    programs.websocket_load,
    'connect',
    port,
    64,
    64,
    warmUp,
    seconds,
  ],
};

/** WebSocket connections from the first packet to the last: handshake, a message and its echo, close. */
export async function measureWebSocketConnects(run: Run<Proxies>): Promise<Report> {
  const results = await usingArena(run.sandbox, (arena) =>
    compete(run, arena, {
      trials: [trial],
      processes: 1,
      cores: arena.cores.proxy,
      loadCores: arena.cores.load,
    }),
  );
  const comparison = { unit: 'connections/s', results, wanted: { [trial.name]: { 'http-proxy-3': 1 } } };
  return {
    title: 'WebSocket connections: handshake, one message, close',
    columns: columns(comparison.unit),
    rows: rows(comparison),
    minimums: minimums(comparison),
    notes: methodNotes,
    samples: samples(comparison),
  };
}
