import type { ServiceStats } from '../../contract/stats.ts';
import { percent, rate, size } from '../amounts.ts';
import { since, stateText } from '../format.ts';
import { sparkline } from '../sparkline.ts';
import { type Column, table } from '../table.ts';
import type { Canvas } from '../terminal.ts';
import type { TopOrder } from './order.ts';
import type { Operation, TopFrame } from './state.ts';

/** What is shown of services, and how. */
export interface ServiceRows {
  readonly services: readonly ServiceStats[];
  readonly history: TopFrame['history'];
  /** The order that its column names; null: none does. */
  readonly order: TopOrder | null;
  readonly under_way: ReadonlyMap<string, Operation>;
  /** Which of them are shown. */
  readonly part: { readonly from: number; readonly count: number };
}

interface ServiceColumn extends Column {
  /** The order in which this column comes first. */
  readonly order?: TopOrder;
  readonly cell: (service: ServiceStats) => string;
}

/** Signs of a chart: half an hour, a minute each, where there is room for that. */
const chartWidth = 10;
const wideChartWidth = 30;
const wideRoom = 160;
/** At the state of a service to which somebody asked something to be done. */
const underWayMark = '↻';

/** Services in a table, with its titles in the first line. */
export function serviceTable(rows: ServiceRows, canvas: Canvas): string[] {
  const columns = serviceColumns(rows, canvas).map((column) => ({
    ...column,
    title: column.order !== undefined && column.order === rows.order ? `${column.title}▾` : column.title,
  }));
  const cells = rows.services.map((service) => columns.map(({ cell }) => cell(service)));
  return table(columns, cells, canvas.columns, rows.part).split('\n');
}

function serviceColumns({ services, history, under_way }: ServiceRows, canvas: Canvas): ServiceColumn[] {
  const isWide = canvas.columns >= wideRoom && canvas.columns < Number.POSITIVE_INFINITY;
  const width = isWide ? wideChartWidth : chartWidth;
  const chart = (key: string) => sparkline(history.get(key) ?? [], width, { least: 0 });
  const hasAlerts = services.some(({ alerts_firing }) => alerts_firing > 0);
  const columns: ServiceColumn[] = [
    { title: 'SERVICE', isFlexible: true, order: 'name', cell: ({ service }) => service },
    {
      title: 'STATE',
      order: 'state',
      cell: ({ service, state }) => (under_way.has(service) ? `${state} ${underWayMark}` : state),
      paint: (cell) => paintState(canvas, cell),
    },
    { title: 'READY', dropAt: 8, cell: ({ instances: { ready, wanted } }) => `${ready}/${wanted}` },
    { title: 'CPU', order: 'cpu', cell: ({ cpu_cores }) => percent(cpu_cores) },
    { title: '', dropAt: 3, cell: ({ service }) => chart(`service.cpu:${service}`) },
    { title: 'MEMORY', order: 'memory', cell: ({ resident_bytes }) => size(resident_bytes) },
    { title: '', dropAt: 1, cell: ({ service }) => chart(`service.memory:${service}`) },
    { title: 'OPEN', dropAt: 5, cell: ({ open_connections }) => String(open_connections) },
    {
      title: 'REQ/S',
      dropAt: 7,
      order: 'requests',
      cell: ({ requests_per_second }) => rate(requests_per_second),
    },
    { title: 'ERRORS', dropAt: 6, order: 'errors', cell: ({ error_ratio }) => percent(error_ratio) },
    { title: 'RESTARTS', dropAt: 2, order: 'restarts', cell: ({ restarts }) => String(restarts) },
    {
      title: 'UPTIME',
      dropAt: 4,
      cell: ({ started_at }) => (started_at === null ? '-' : since(started_at)),
    },
  ];
  if (hasAlerts)
    columns.push({
      title: 'ALERTS',
      dropAt: 9,
      cell: ({ alerts_firing }) => (alerts_firing === 0 ? '' : String(alerts_firing)),
    });
  return columns;
}

/** A cell may be cut, and have a mark after the state. */
function paintState(canvas: Canvas, cell: string): string {
  const [state = ''] = cell.split(' ', 1);
  return stateText(canvas, state) + cell.slice(state.length);
}
