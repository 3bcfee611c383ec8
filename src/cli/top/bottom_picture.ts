import type { ServiceStats } from '../../contract/stats.ts';
import { clipped, wrapped } from '../styled_text.ts';
import type { Canvas } from '../terminal.ts';
import { safeText } from '../text.ts';
import { listed } from './list_picture.ts';
import type { Operation, Prompt, TopState, View } from './state.ts';

/** The most rows of something that is said. */
const mostRows = 4;

/** What keys do most often are for, in the order in which they matter. */
const hints: Readonly<Record<View['kind'], readonly string[]>> = {
  list: ['? help', 'q quit', 'l logs', 'd details', 'r restart', 'x stop', 'u start', '/ filter', 's sort'],
  logs: ['? help', 'Esc back', 'p pause', '/ filter', 'e level', 'w wrap', 'f follow', 't times'],
  details: ['? help', 'Esc back', 'l logs', 'r restart', 'x stop', 'u start'],
};

/** The last rows: a question, what was said, what is under way, or what can be done; whichever comes first. */
export function bottomLines(state: TopState, canvas: Canvas): string[] {
  const { prompt, note, under_way } = state;
  if (prompt !== null)
    return inRows(promptText(prompt, state), canvas).map((row) => canvas.style('bold', row));
  if (note !== null)
    return inRows(safeText(note.text), canvas).map((row) => (note.isError ? canvas.style('red', row) : row));
  if (under_way.size > 0) return [clipped(underWayText(under_way), canvas.columns)];
  return [canvas.style('dim', hintLine(state, canvas.columns))];
}

function inRows(text: string, canvas: Canvas): string[] {
  return wrapped(text, canvas.columns).take(mostRows).toArray();
}

function promptText(prompt: Prompt, state: TopState): string {
  switch (prompt.kind) {
    case 'help':
      return 'Any key closes this.';
    case 'filter':
      return `/${safeText(state.filter)}_  ${countText(state)}; Enter keeps it, Esc shows all`;
    case 'grep':
      return `/${safeText(prompt.text)}_  a regular expression; Enter looks for it, Esc does not`;
    case 'question':
      return questionText(prompt, state);
  }
}

/** What is asked before something is done that costs something. */
function questionText(
  { operation, service }: { readonly operation: Operation; readonly service: string },
  { frame }: TopState,
): string {
  const name = operation.slice(0, 1).toUpperCase() + operation.slice(1);
  const found = frame.stats.services.find((each) => each.service === service);
  const costs = found === undefined ? [] : costsOf(found);
  return `${name} ${service}${costs.length === 0 ? '' : `, with ${costs.join(' and ')}`}? y/n`;
}

function costsOf({ instances: { running }, open_connections }: ServiceStats): string[] {
  const some = (count: number, what: string) =>
    count === 0 ? [] : [`${count} ${what}${count === 1 ? '' : 's'}`];
  return [...some(running, 'running instance'), ...some(open_connections, 'open connection')];
}

function underWayText(under_way: TopState['under_way']): string {
  return `Under way: ${[...under_way].map(([service, operation]) => `${operation} ${service}`).join(', ')}`;
}

function countText(state: TopState): string {
  return `${listed(state).length} of ${state.frame.stats.services.length}`;
}

function hintLine(state: TopState, columns: number): string {
  const { view, filter, order } = state;
  const begin =
    view.kind === 'list'
      ? [...(filter === '' ? [] : [`/${filter} (${countText(state)})`]), `by ${order}`]
      : [];
  let text = safeText(begin.join('  '));
  for (const hint of hints[view.kind]) {
    const next = text === '' ? hint : `${text}  ${hint}`;
    if (next.length > columns) break;
    text = next;
  }
  return clipped(text, columns);
}
