import { stripVTControlCharacters } from 'node:util';
import type { ServiceStats } from '../../contract/stats.ts';
import { clipped } from '../styled_text.ts';
import type { Canvas } from '../terminal.ts';
import { safeText } from '../text.ts';
import { headLines } from './head_picture.ts';
import { sorted, type TopOrder } from './order.ts';
import { serviceTable } from './service_table.ts';
import type { TopFrame, TopState } from './state.ts';

/** With so few rows, services come first. */
const leastRowsForHead = 9;
/** Before each service: whether keys are for it, and whether somebody should look. */
const gutter = 3;

/** All services and all that stands above them, for somebody who types no keys. */
export function wholePicture(frame: TopFrame, order: TopOrder, canvas: Canvas): string[] {
  const services = sorted(frame.stats, order);
  const part = { from: 0, count: services.length };
  const rows = { services, history: frame.history, order: null, under_way: new Map<string, never>(), part };
  return [
    ...headLines(frame, canvas),
    '',
    ...(services.length === 0 ? [noServices(canvas)] : serviceTable(rows, canvas)),
  ];
}

/** The services that the filter lets through, in their order. */
export function listed({
  frame,
  order,
  filter,
}: Pick<TopState, 'frame' | 'order' | 'filter'>): ServiceStats[] {
  const wanted = filter.toLowerCase();
  return sorted(frame.stats, order).filter(
    ({ service, state }) => service.includes(wanted) || state.includes(wanted),
  );
}

/** How many services are in sight where the list has that many rows. */
export function shownServices({ frame: { stats } }: TopState, rows: number): number {
  const head = rows < leastRowsForHead ? 1 : stats.host === null ? 4 : 5;
  return Math.max(1, rows - head - 1);
}

/** The list of services with what stands above it. */
export function listLines(state: TopState, rows: number, canvas: Canvas): string[] {
  const { frame, order, under_way, offset } = state;
  const head = headLines(frame, canvas);
  const above = rows < leastRowsForHead ? head.slice(0, 1) : [...head, ''];
  const services = listed(state);
  if (services.length === 0)
    return [...above, frame.stats.services.length === 0 ? noServices(canvas) : noMatch(state, canvas)];
  const part = { from: offset, count: shownServices(state, rows) };
  // Of a canvas, methods are looked up where it was made.
  const narrower: Canvas = {
    columns: canvas.columns - gutter,
    isTerminal: canvas.isTerminal,
    style: (style, text) => canvas.style(style, text),
    logLine: (line) => canvas.logLine(line),
  };
  const [titles = '', ...lines] = serviceTable(
    { services, history: frame.history, order, under_way, part },
    narrower,
  );
  const shown = services.slice(offset, offset + part.count);
  return [
    ...above,
    canvas.style('bold', `${' '.repeat(gutter)}${titles}`),
    ...shown.map((service, index) =>
      serviceLine({ state, service, isFirst: offset + index === 0 }, lines[index] ?? '', canvas),
    ),
  ];
}

interface Row {
  readonly state: TopState;
  readonly service: ServiceStats;
  readonly isFirst: boolean;
}

function serviceLine({ state: { selected }, service, isFirst }: Row, text: string, canvas: Canvas): string {
  const isSelected = selected === null ? isFirst : selected === service.service;
  const isBad = service.state === 'failed' || service.state === 'backoff' || service.alerts_firing > 0;
  const line = `${isSelected ? '>' : ' '}${isBad ? '!' : ' '} ${text}`;
  if (!isSelected) return line;
  const space = canvas.columns - stripVTControlCharacters(line).length;
  return canvas.style('inverse', line + ' '.repeat(Math.max(0, space)));
}

function noServices({ columns }: Canvas): string {
  return clipped('There are no services.', columns);
}

function noMatch({ filter }: TopState, { columns }: Canvas): string {
  return clipped(`No service has "${safeText(filter)}" in its name or state. Esc shows all.`, columns);
}
