import type { Canvas } from '../../../src/cli/terminal.ts';
import { logText } from '../../../src/cli/text.ts';
import { reduce, type TopEvent } from '../../../src/cli/top/reducer.ts';
import type { Effect, TopState } from '../../../src/cli/top/state.ts';
import type { LogLine, LogPage } from '../../../src/contract/logs.ts';
import type { ServiceStats, Stats } from '../../../src/contract/stats.ts';

export function service(id: string, change: Partial<ServiceStats> = {}): ServiceStats {
  return {
    service: id,
    state: 'running',
    instances: { wanted: 2, running: 2, ready: 1 },
    started_at: new Date(Date.now() - 3_725_000).toISOString(),
    restarts: 0,
    cpu_cores: 0.25,
    resident_bytes: 71_000_000,
    open_connections: 4,
    requests_per_second: 12,
    error_ratio: 0.015,
    alerts_firing: 0,
    usage: [],
    ...change,
  };
}

const nothing = {
  cpu_cores: null,
  resident_bytes: null,
  open_connections: 0,
  requests_per_second: null,
  error_ratio: null,
  started_at: null,
} as const;

/** Three services: in the order of CPU `api`, `web` and `worker`, of which the last one failed. */
export const services: readonly ServiceStats[] = [
  service('web'),
  service('api', { cpu_cores: 1.5, resident_bytes: 2_000_000, restarts: 3 }),
  service('worker', { ...nothing, state: 'failed', instances: { wanted: 1, running: 0, ready: 0 } }),
];

export function statsWith(change: Partial<Stats> = {}): Stats {
  return {
    at: new Date().toISOString(),
    interval_seconds: 10,
    agent: {
      version: '1.2.3',
      hostname: 'host.example.org',
      started_at: new Date(Date.now() - 90_000).toISOString(),
      resident_bytes: 80_000_000,
      cpu_cores: 0.01,
      event_loop_lag_seconds: 0.012,
    },
    host: {
      booted_at: '2026-01-01T00:00:00.000Z',
      processors: 2,
      cpu_ratio: 0.5,
      load: [0.42, 0.3, 0.2],
      memory_bytes: 8e9,
      memory_available_bytes: 6e9,
      disk_bytes: 1e11,
      disk_free_bytes: 25e9,
    },
    totals: {
      services: 3,
      services_running: 2,
      services_failed: 1,
      instances: 6,
      instances_ready: 3,
      connections: 8,
      requests: 100,
      errors: 1,
      restarts: 3,
      alerts_firing: 2,
    },
    services: [...services],
    ...change,
  };
}

export const history = new Map([
  ['host.cpu', [0, 0.5, 1]],
  ['service.cpu:web', [null, 0, 0.1, 0.2]],
]);

export function stateWith(change: Partial<TopState> = {}): TopState {
  return {
    room: { columns: 80, rows: 24 },
    frame: { stats: statsWith(), history, lost: null },
    order: 'cpu',
    filter: '',
    selected: null,
    position: 0,
    offset: 0,
    view: { kind: 'list' },
    prompt: null,
    under_way: new Map(),
    note: null,
    ...change,
  };
}

/** So many services, in the order of CPU from `s00` on. */
export function many(count: number): ServiceStats[] {
  return Array.from({ length: count }, (_, index) =>
    service(`s${String(index).padStart(2, '0')}`, { cpu_cores: count - index }),
  );
}

/** A canvas without colours. */
export function plain(columns: number): Canvas {
  return {
    columns,
    isTerminal: true,
    style: (_style, text) => text,
    logLine: (line) => logText(line, false),
  };
}

/** Lets things happen one after the other; what came of them all, with all that is to be done. */
export function after(
  state: TopState,
  ...events: readonly TopEvent[]
): { state: TopState; effects: Effect[] } {
  const effects: Effect[] = [];
  let next = state;
  for (const event of events) {
    const [changed, ...more] = reduce(next, event);
    next = changed;
    effects.push(...more);
  }
  return { state: next, effects };
}

/** Types keys, by their names. */
export function typing(state: TopState, ...keys: readonly string[]): { state: TopState; effects: Effect[] } {
  return after(state, ...keys.map((key): TopEvent => ({ kind: 'key', key })));
}

/** The line with that number; its cursor is the place after it. */
export function logLine(number: number, change: Partial<LogLine> = {}): LogLine {
  return {
    time: '2026-01-31T12:34:56.789Z',
    stream: 'stdout',
    line: `line ${number}`,
    level: null,
    release: 1,
    instance: 1,
    cursor: String(number + 1),
    ...change,
  };
}

/** Lines from one number up to before another. */
export function logLinesFrom(from: number, to: number): LogLine[] {
  return Array.from({ length: to - from }, (_, index) => logLine(from + index));
}

/** A page of them, before which there are others unless it begins with the first. */
export function logPage(from: number, to: number): LogPage {
  return {
    service: 'web',
    lines: logLinesFrom(from, to),
    truncated: from > 0,
    before: String(from),
    after: String(to),
  };
}
