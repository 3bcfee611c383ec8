import type { Stats } from '../../contract/stats.ts';
import { percent, rate } from '../amounts.ts';
import { since, sizeText } from '../format.ts';
import { type Scale, sparkline } from '../sparkline.ts';
import { clipped } from '../styled_text.ts';
import type { Canvas } from '../terminal.ts';
import { safeText } from '../text.ts';
import type { TopFrame } from './state.ts';

const nameWidth = 'services  '.length;
/** Signs of the charts of the host and the agent. */
const chartWidth = 12;
const share: Scale = { least: 0, greatest: 1 };
const fromNothing = { least: 0 };

/** How the host, the agent and all services together stand. */
export function headLines({ stats, history, lost }: TopFrame, canvas: Canvas): string[] {
  const { host, agent } = stats;
  const chart = (key: string, scale: Partial<Scale>) => {
    const values = history.get(key);
    return values === undefined ? '' : ` ${sparkline(values, chartWidth, scale)}`;
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
    lost === null ? titleLine(stats, canvas) : lostLine({ stats, lost }, canvas),
    ...(host === null ? [] : [line('host', hostParts, canvas.columns)]),
    line('agent', agentParts, canvas.columns),
    line('services', totalParts(stats), canvas.columns),
  ];
}

/** Why the agent cannot be asked, and how old that is what is shown. */
export function lostLine({ stats, lost }: Pick<TopFrame, 'stats' | 'lost'>, canvas: Canvas): string {
  const text = `As of ${since(stats.at)} ago: ${lost ?? ''}`;
  return canvas.style('red', clipped(safeText(text), canvas.columns));
}

function titleLine({ agent }: Stats, canvas: Canvas): string {
  const title = `davit ${agent.version} on ${agent.hostname}, up ${since(agent.started_at)}`;
  return canvas.style('bold', clipped(safeText(title), canvas.columns));
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
