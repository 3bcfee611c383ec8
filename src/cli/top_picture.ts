import type { ServiceStats, Stats } from '../contract/stats.ts';
import { percent, rate, size } from './amounts.ts';
import { since, sizeText, stateText } from './format.ts';
import { type Scale, sparkline, type Values } from './sparkline.ts';
import { type Column, table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

/** By what services may be sorted: what comes first, and equal ones by name. */
const orders = {
  cpu: ({ cpu_cores }) => cpu_cores ?? -1,
  memory: ({ resident_bytes }) => resident_bytes ?? -1,
  requests: ({ requests_per_second }) => requests_per_second ?? -1,
  errors: ({ error_ratio }) => error_ratio ?? -1,
  restarts: ({ restarts }) => restarts,
  name: () => 0,
} as const satisfies Record<string, (service: ServiceStats) => number>;

export type TopOrder = keyof typeof orders;
export const topOrders = Object.keys(orders) as TopOrder[];

/** All that is shown at one time. */
export interface TopFrame {
  readonly stats: Stats;
  /** What series were lately, by their keys. */
  readonly history: ReadonlyMap<string, Values>;
  readonly order: TopOrder;
  /** Why the agent cannot be asked now; null: it was. */
  readonly lost: string | null;
}

/** How much room there is. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

const nameWidth = 'services  '.length;
/** Signs of the charts of the host and the agent, and of services. */
const headChart = 12;
const serviceChart = 10;
const share: Scale = { least: 0, greatest: 1 };
const fromNothing = { least: 0 };
/** With so few rows, services come first. */
const leastRowsForHead = 8;

/** The lines of a picture; at most as many, and as long, as there is room for. */
export function render(frame: TopFrame, room: Room, style: Terminal['style']): string[] {
  const head = headLines(frame, room.columns, style);
  const shown = room.rows < leastRowsForHead ? head.slice(0, 1) : [...head, ''];
  const services = serviceLines(frame, room.columns, style);
  return cut([...shown, ...services], room);
}

/** The services in the order in which they are shown. */
export function sorted({ services }: Stats, order: TopOrder): ServiceStats[] {
  const worth = orders[order];
  return services.toSorted((a, b) => worth(b) - worth(a) || (a.service < b.service ? -1 : 1));
}

function headLines({ stats, history, lost }: TopFrame, columns: number, style: Terminal['style']): string[] {
  const { host, agent } = stats;
  const chart = (key: string, scale: Partial<Scale>) => {
    const values = history.get(key);
    return values === undefined ? '' : ` ${sparkline(values, headChart, scale)}`;
  };
  const hostParts =
    host === null
      ? []
      : [
          `CPU ${percent(host.cpu_ratio)}${chart('host.cpu', share)}`,
          `memory ${percent(1 - host.memory_available_bytes / host.memory_bytes)}${chart('host.memory', share)}`,
          `load ${host.load[0].toFixed(2)}`,
          `disk ${percent(1 - host.disk_free_bytes / host.disk_bytes)}`,
        ];
  const agentParts = [
    `CPU ${percent(agent.cpu_cores)}${chart('agent.cpu', fromNothing)}`,
    `memory ${sizeText(agent.resident_bytes)}${chart('agent.memory', fromNothing)}`,
    `lag ${Math.round(agent.event_loop_lag_seconds * 1_000)}ms`,
  ];
  return [
    titleLine(stats, lost, columns, style),
    ...(host === null ? [] : [line('host', hostParts, columns)]),
    line('agent', agentParts, columns),
    line('services', totalParts(stats), columns),
  ];
}

function titleLine(
  { agent, at }: Stats,
  lost: string | null,
  columns: number,
  style: Terminal['style'],
): string {
  const title = `davit ${agent.version} on ${agent.hostname}`;
  if (lost === null)
    return style('bold', clipped(safeText(`${title}, up ${since(agent.started_at)}`), columns));
  return style('red', clipped(safeText(`As of ${since(at)} ago: ${lost}`), columns));
}

function totalParts({ totals, services }: Stats): string[] {
  const perSecond = services.reduce((sum, { requests_per_second }) => sum + (requests_per_second ?? 0), 0);
  const some = (count: number, what: string) => (count > 0 ? [`${count} ${what}`] : []);
  return [
    `${totals.services_running} of ${totals.services} running`,
    ...some(totals.services_failed, 'failed'),
    ...some(totals.alerts_firing, 'alerts firing'),
    ...(services.some(({ requests_per_second }) => requests_per_second !== null)
      ? [`${rate(perSecond)} req/s`]
      : []),
    ...some(totals.restarts, 'restarts'),
  ];
}

/** As many of the parts as there is room for. */
function line(name: string, parts: readonly string[], columns: number): string {
  let text = name.padEnd(nameWidth);
  for (const [index, part] of parts.map(safeText).entries()) {
    const next = `${text}${index === 0 ? '' : '  '}${part}`;
    if (next.length > columns) break;
    text = next;
  }
  return clipped(text, columns);
}

function serviceLines(
  { stats, history, order }: TopFrame,
  width: number,
  style: Terminal['style'],
): string[] {
  const services = sorted(stats, order);
  if (services.length === 0) return [clipped('There are no services.', width)];
  const chart = (key: string) => sparkline(history.get(key) ?? [], serviceChart, fromNothing);
  const columns: Column[] = [
    { title: 'SERVICE', isFlexible: true },
    { title: 'STATE', paint: (state) => stateText({ style } as Terminal, state) },
    { title: 'READY', dropAt: 5 },
    { title: 'CPU' },
    { title: '', dropAt: 3 },
    { title: 'MEMORY' },
    { title: '', dropAt: 2 },
    { title: 'REQ/S', dropAt: 7 },
    { title: 'ERRORS', dropAt: 6 },
    { title: 'RESTARTS', dropAt: 4 },
    { title: 'UPTIME', dropAt: 1 },
  ];
  const rows = services.map((each) => [
    each.service,
    each.state,
    `${each.instances.ready}/${each.instances.wanted}`,
    percent(each.cpu_cores),
    chart(`service.cpu:${each.service}`),
    size(each.resident_bytes),
    chart(`service.memory:${each.service}`),
    rate(each.requests_per_second),
    percent(each.error_ratio),
    String(each.restarts),
    each.started_at === null ? '-' : since(each.started_at),
  ]);
  return table(columns, rows, width).split('\n');
}

/** What does not fit is counted. The last line is that of a service, or says how many more there are. */
function cut(lines: readonly string[], { rows }: Room): string[] {
  if (lines.length <= rows) return [...lines];
  const shown = lines.slice(0, Math.max(0, rows - 1));
  return rows < 1 ? [] : [...shown, `… and ${lines.length - shown.length} more`];
}

function clipped(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}
