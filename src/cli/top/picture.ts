import { cutToWidth } from '../styled_text.ts';
import type { Canvas } from '../terminal.ts';
import { logText } from '../text.ts';
import { bottomLines } from './bottom_picture.ts';
import { detailsLines } from './details_picture.ts';
import { lostLine } from './head_picture.ts';
import { helpLines } from './help_picture.ts';
import { listLines } from './list_picture.ts';
import { logLines } from './log_picture.ts';
import type { TopState } from './state.ts';

/** The lines of a picture: as many as there are rows, and none longer than there are columns. */
export function render(state: TopState, canvas: Canvas): string[] {
  const { rows, columns } = state.room;
  const bottom = bottomLines(state, canvas).slice(0, rows);
  const height = rows - bottom.length;
  const lines = viewLines(state, height, canvas).slice(0, height);
  const space = Array.from({ length: height - lines.length }, () => '');
  return [...lines, ...space, ...bottom].map((line) => cutToWidth(line, columns));
}

/** How many rows the view has for itself. */
export function heightOf(state: TopState): number {
  const taken = bottomLines(state, measure(state)).length + (hasBanner(state) ? 1 : 0);
  return Math.max(1, state.room.rows - taken);
}

/** As what is drawn on, for asking how much room something takes. */
export function measure({ room: { columns } }: Pick<TopState, 'room'>): Canvas {
  const style: Canvas['style'] = (_style, text) => text;
  return { columns, isTerminal: true, style, logLine: (line) => logText(line, false) };
}

function viewLines(state: TopState, rows: number, canvas: Canvas): string[] {
  const { view, prompt, frame } = state;
  if (prompt?.kind === 'help') return helpLines(view.kind);
  const banner = hasBanner(state) ? [lostLine(frame, canvas)] : [];
  switch (view.kind) {
    case 'list':
      return listLines(state, rows, canvas);
    case 'logs':
      return [...banner, ...logLines(view, rows - banner.length, canvas)];
    case 'details':
      return [...banner, ...detailsLines(view, rows - banner.length, canvas)];
  }
}

/** The list itself says in its head that the agent cannot be asked. */
function hasBanner({ view, frame }: TopState): boolean {
  return view.kind !== 'list' && frame.lost !== null;
}
