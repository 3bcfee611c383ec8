import type { Plan, PlannedAction, PlanStep } from '../contract/declaration.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

type Style = Parameters<Terminal['style']>[0];

const signs: Readonly<Record<PlannedAction, readonly [sign: string, style: Style]>> = {
  create: ['+', 'green'],
  deploy: ['~', 'yellow'],
  scale: ['~', 'yellow'],
  start: ['>', 'green'],
  adopt: ['~', 'yellow'],
  delete: ['-', 'red'],
  none: ['=', 'dim'],
};

/** What is said of a service that stays as it is. */
const quietReason = 'it is as declared';

/** A plan for people: what is done with each service, what changes and what that costs. */
export function planText(terminal: Terminal, { actions, summary }: Plan): string {
  const shown = actions.filter(({ action, reason }) => action !== 'none' || !reason.startsWith(quietReason));
  return [...shown.map((step) => stepText(terminal, step)), safeText(`Plan: ${summary}.`)].join('\n');
}

function stepText(terminal: Terminal, step: PlanStep): string {
  const { service, action, changes, reason } = step;
  const [sign, style] = signs[action];
  const kind = action === 'none' ? '' : `${action}: `;
  const head = terminal.style(style, safeText(`${sign} ${service}  ${kind}${reason}`));
  const fields = changes.map(({ field, from, to }) => `${field}: ${valueText(from)} → ${valueText(to)}`);
  const costs = costTexts(step).map((text) => terminal.style('bold', text));
  return [head, ...fields.map(safeText), ...costs].join('\n    ');
}

/** What it costs, each thing as a sentence. */
function costTexts({ cost }: PlanStep): string[] {
  const { restarts, starts, stops, connections, ports } = cost;
  const all = [
    instancesText(restarts, 'restarts', 'restart'),
    instancesText(starts, 'starts', 'start'),
    instancesText(stops, 'ends', 'end'),
    connections === null || connections === 0
      ? null
      : `${connections} ${connections === 1 ? 'connection drops' : 'connections drop'}`,
    ...ports.map(
      ({ instance, from, to }) => `instance ${instance} moves from ${portText(from)} to ${portText(to)}`,
    ),
  ];
  return all.filter((text) => text !== null);
}

function instancesText(numbers: readonly number[], one: string, many: string): string | null {
  if (numbers.length === 0) return null;
  return numbers.length === 1 ? `instance ${numbers[0]} ${one}` : `instances ${rangeText(numbers)} ${many}`;
}

/** Numbers in a row as `1 to 5`. */
function rangeText(numbers: readonly number[]): string {
  const [first = 0] = numbers;
  const isRow = numbers.length > 2 && numbers.every((number, index) => number === first + index);
  return isRow ? `${first} to ${numbers.at(-1)}` : numbers.join(', ');
}

function portText(port: number | string | null): string {
  if (port === null) return 'no port';
  return port === 'auto' ? 'a free port' : `port ${port}`;
}

function valueText(value: unknown): string {
  if (value === null || value === undefined) return '(none)';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
