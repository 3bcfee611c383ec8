import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { routing } from '../../../../src/contract/balancing.ts';
import { type RoutingTable, routingTable } from '../../../../src/contract/routing_table.ts';
import { match } from '../../../../src/contract/rules.ts';
import type { DavitProgram } from '../../peers/davit_program.ts';
import { endProxy, launchProxy, type ProxyKind, type ProxySetup } from './proxy.ts';

/**
 * The router of davit without its agent: it acts by the table that lies in its folder.
 * @param more settings that are other than usual
 */
export function davitRouter(
  { command, args, version }: DavitProgram,
  name = 'davit',
  more: Partial<RoutingTable['settings']> = {},
): ProxyKind {
  return {
    name,
    version,
    start: async (setup) => {
      const { folder, port, processes } = setup;
      writeFileSync(join(folder, 'table.1.1.json'), JSON.stringify(table(setup, more)));
      const start = () => launchProxy([command, ...args, 'router', '--directory', folder], setup);
      const daemons = [await start()];
      while (daemons.length < processes) daemons.push(await start());
      return { name, port, pids: () => daemons.map(({ pid }) => pid), stop: () => endProxy(daemons, folder) };
    },
  };
}

/** All limits are kept, but out of reach: one address sends all that the bench can. */
function table({ port, backend }: ProxySetup, more: Partial<RoutingTable['settings']>): RoutingTable {
  const hour = 3_600_000;
  return routingTable.parse({
    format: 1,
    epoch: 1,
    version: 1,
    settings: {
      listeners: [{ address: `127.0.0.1:${port}`, tls: false, proxy_protocol: false }],
      certificates: [],
      min_version: 'TLSv1.2',
      trusted_proxies: [],
      drain_timeout: 1_000,
      limits: {
        header_size: 16_384,
        header_timeout: 10_000,
        idle_timeout: hour,
        body_timeout: 60_000,
        body_size: null,
        connections: 1_000_000,
        connections_per_address: 1_000_000,
        held_requests: 1_000,
      },
      ...more,
    },
    affinity_key: '0'.repeat(64),
    services: [
      {
        id: 'bench',
        routing: routing.parse({}),
        hold: null,
        shares: null,
        instances: [
          {
            id: 'bench-1',
            number: 1,
            release: 1,
            host: '127.0.0.1',
            port: backend,
            tags: [],
            ready_at: 0,
            draining: null,
          },
        ],
      },
    ],
    rules: [
      {
        id: 'bench/1',
        match: match.parse({}),
        action: { type: 'route', service: 'bench', rewrite_prefix: null },
      },
    ],
  } satisfies RoutingTable);
}
