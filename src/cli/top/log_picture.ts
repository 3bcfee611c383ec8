import type { LogLine } from '../../contract/logs.ts';
import { clipped, cutToWidth, wrapped } from '../styled_text.ts';
import type { Canvas } from '../terminal.ts';
import { safeText } from '../text.ts';
import { type LogView, lastOf } from './log_view.ts';

/** What is in sight of the logs of a service. */
interface Sight {
  readonly rows: readonly string[];
  /** The numbers of the highest and the lowest line of which something is in sight. */
  readonly from: number;
  readonly to: number;
}

/** The logs of a service under a line that tells which. */
export function logLines(view: LogView, rows: number, canvas: Canvas): string[] {
  const title = canvas.style('bold', clipped(titleOf(view), canvas.columns));
  if (view.lines.length > 0) return [title, ...inSight(view, rows - 1, canvas).rows];
  return [
    title,
    clipped(view.state === 'opening' ? 'Asking the agent …' : nothingText(view), canvas.columns),
  ];
}

/** What is in sight: up from the lowest line, and down from it where there is nothing more above. */
export function inSight(view: LogView, rows: number, canvas: Canvas): Sight {
  const last = lastOf(view);
  const isLabelled = hasSeveralSources(view.lines);
  const partsOf = (number: number) => {
    const line = view.lines[number - view.first];
    return line === undefined ? [] : partsOfLine(line, { view, isLabelled, rows }, canvas);
  };
  const to = Math.max(view.first, Math.min(view.anchor ?? last, last));
  const shown: string[] = [];
  let [from, below] = [to + 1, to];
  while (from > view.first && shown.length < rows) shown.unshift(...partsOf(--from));
  const above = shown.splice(0, Math.max(0, shown.length - rows)).length;
  while (above === 0 && below < last && shown.length < rows) shown.push(...partsOf(++below));
  return { rows: shown.slice(0, rows), from, to: below };
}

interface Manner {
  readonly view: LogView;
  readonly isLabelled: boolean;
  readonly rows: number;
}

/** A line in as many rows as it needs, which are never more than there are. */
function partsOfLine(line: LogLine, { view, isLabelled, rows }: Manner, canvas: Canvas): string[] {
  const labels = [
    ...(view.shows_times ? [`${line.time.slice(11, 19)}`] : []),
    ...(isLabelled ? [`r${line.release}.i${line.instance}`] : []),
  ];
  const text = canvas.logLine(line.line);
  const labelled = labels.length === 0 ? text : `${canvas.style('dim', labels.join(' '))} ${text}`;
  if (!view.wraps) return [cutToWidth(labelled, canvas.columns)];
  return wrapped(labelled, canvas.columns).take(rows).toArray();
}

function titleOf(view: LogView): string {
  const { service, filter, wraps } = view;
  return [
    `logs of ${service}`,
    placeText(view),
    ...(filter.level === null ? [] : [`level ${filter.level} and above`]),
    ...(filter.grep === null ? [] : [`/${safeText(filter.grep)}/`]),
    ...(wraps ? ['wrapped'] : []),
    ...(view.state === 'older' ? ['asking for older lines …'] : []),
  ].join('  ');
}

/** Where among all lines those in sight are. */
function placeText(view: LogView): string {
  if (view.anchor === null) return view.state === 'ended' ? 'ended' : 'following';
  const below = lastOf(view) - view.anchor + view.missed;
  return below === 0 ? 'paused' : `paused, ${below} more below`;
}

function nothingText({ filter: { grep, level } }: LogView): string {
  return grep === null && level === null ? 'It has written nothing yet.' : 'No line is like that.';
}

/** Whether it must be told from which instance a line is. */
function hasSeveralSources(lines: readonly LogLine[]): boolean {
  const [first] = lines;
  return lines.some(({ release, instance }) => release !== first?.release || instance !== first.instance);
}
