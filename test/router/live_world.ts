import assert from 'node:assert/strict';
import { type Routing, routing } from '../../src/contract/balancing.ts';
import type { InstanceTraffic } from '../../src/contract/connections.ts';
import type {
  RoutingTable,
  TableInstance,
  TableRule,
  TableService,
} from '../../src/contract/routing_table.ts';
import { match, type RuleMatch } from '../../src/contract/rules.ts';
import { LiveTable } from '../../src/router/live_table.ts';
import type { Destination, Lease, TargetService } from '../../src/router/target.ts';
import type { RoutedRequest } from '../../src/routing/request.ts';

export const nothingTried: ReadonlySet<string> = new Set();

export function requestOf(parts: Partial<RoutedRequest> & { cookie?: string } = {}): RoutedRequest {
  const { cookie, ...rest } = parts;
  return {
    method: 'GET',
    host: 'example.org',
    path: '/',
    query: '',
    client: '192.0.2.1',
    is_tls: false,
    header: (name) => (name === 'cookie' ? cookie : undefined),
    ...rest,
  };
}

export function tableInstance(number: number, parts: Partial<TableInstance> = {}): TableInstance {
  const base = { id: `i-${number}`, number, release: 1, host: '127.0.0.1', port: 4_000 + number, tags: [] };
  return { ...base, ready_at: 0, draining: null, ...parts };
}

/** A service whose instances have the numbers from 1. */
export function tableService(
  instances: number | TableInstance[],
  own: object = {},
  parts: Partial<TableService> = {},
): TableService {
  const listed =
    typeof instances === 'number'
      ? Array.from({ length: instances }, (_, index) => tableInstance(index + 1))
      : instances;
  return {
    id: 'web',
    routing: routing.parse(own) as Routing,
    hold: null,
    shares: null,
    instances: listed,
    ...parts,
  };
}

export function tableRule(id: string, own: Partial<RuleMatch> = {}, action?: TableRule['action']): TableRule {
  return {
    id,
    match: match.parse(own),
    action: action ?? { type: 'route', service: 'web', rewrite_prefix: null },
  };
}

/** A live table with a clock that stands still until it is moved. */
export class World {
  now = 1_000_000;
  readonly problems: string[] = [];
  readonly drained: string[] = [];
  readonly table: LiveTable;
  #version = 0;

  constructor(random: () => number = () => 0.5) {
    this.table = new LiveTable({
      now: () => this.now,
      random,
      onProblem: (message) => this.problems.push(message),
      onDrained: (id) => this.drained.push(id),
    });
  }

  /** Acts by these services and rules from now on. Without rules, every request goes to the service web. */
  update(services: readonly TableService[], rules: readonly TableRule[] = [tableRule('all')]): void {
    this.table.update(this.tableOf(services, rules));
  }

  tableOf(services: readonly TableService[], rules: readonly TableRule[]): RoutingTable {
    this.#version++;
    return {
      format: 1,
      epoch: 1,
      version: this.#version,
      settings: {} as RoutingTable['settings'],
      affinity_key: 'ab'.repeat(32),
      services: [...services],
      rules: [...rules],
    };
  }

  service(request: RoutedRequest = requestOf()): TargetService {
    const destination: Destination = this.table.direct(request);
    assert.equal(destination.kind, 'service');
    return (destination as Extract<Destination, { kind: 'service' }>).service;
  }

  acquire(request: RoutedRequest = requestOf(), tried = nothingTried): Lease {
    const lease = this.service(request).acquire(request, tried);
    assert.ok(typeof lease !== 'string', `there is no instance: ${String(lease)}`);
    return lease;
  }

  /** A whole request, of which this becomes. Returns the number of the instance. */
  serve(outcome: number | 'unreachable' | 'broken' | 'timed_out', request = requestOf()): number {
    const lease = this.acquire(request);
    if (typeof outcome === 'number') lease.answered(outcome, 1);
    else lease.failed(outcome);
    lease.end(0, 0);
    return lease.instance.number;
  }

  /** The numbers of those that serve so many requests well. */
  served(count: number): Set<number> {
    return new Set(Array.from({ length: count }, () => this.serve(200)));
  }

  countsOf(id: string): InstanceTraffic | undefined {
    return this.table.counts().find(({ instance_id }) => instance_id === id);
  }
}
