import type { RoutingTable } from '../../../../src/contract/routing_table.ts';
import { findDavit } from '../../peers/davit_program.ts';
import type { Report } from '../../report.ts';
import type { Run } from '../../run.ts';
import { usingArena } from '../arena.ts';
import { columns, methodNotes, rows, samples } from '../comparison.ts';
import { davitRouter } from '../proxies/davit_router.ts';
import type { Proxies } from '../proxies.ts';
import { compete } from '../tournament.ts';
import { ask } from './http.ts';

const others = { errors: true, slow: null, client_address: 'full' } as const;
const settings: Readonly<Record<string, Partial<RoutingTable['settings']>>> = {
  'davit, 1 % written': { access_log: { ...others, sample: 0.01 } },
  'davit, all written': { access_log: { ...others, sample: 1 } },
  'davit, begins traces': { trace: 'start' },
};

/** What the access log and the beginning of traces cost: the same requests with them and without. */
export async function measureAccessLog(run: Run<Proxies>): Promise<Report> {
  const kinds = run.contenders.kinds.filter(({ name }) => name === 'davit' || name === 'http-proxy-3');
  const [davit] = kinds;
  const program = await findDavit(davit?.version.includes('from source') ?? true);
  for (const [name, more] of Object.entries(settings)) kinds.push(davitRouter(program, name, more));
  const contenders = { ...run.contenders, kinds };
  const results = await usingArena(run.sandbox, (arena) =>
    compete({ ...run, contenders }, arena, {
      trials: [ask('12 B', '/small', 12)],
      processes: 1,
      cores: arena.cores.proxy,
      loadCores: arena.cores.load,
    }),
  );
  const comparison = { unit: 'requests/s', results, wanted: {} };
  return {
    title: 'HTTP requests over 64 connections, one process, by what is written of them',
    columns: columns(comparison.unit),
    rows: rows(comparison),
    notes: methodNotes,
    samples: samples(comparison),
  };
}
