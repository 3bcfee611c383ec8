import { deploymentTable } from '../deployments.ts';
import { instanceTable } from '../instances.ts';
import { clipped, wrapped } from '../styled_text.ts';
import type { Canvas } from '../terminal.ts';
import { safeText } from '../text.ts';
import { whyTexts } from '../why.ts';
import type { Details, DetailsView } from './state.ts';

/** What is known of a service, as much of it as is in sight. */
export function detailsLines(view: DetailsView, rows: number, canvas: Canvas): string[] {
  const head = headOf(view, canvas);
  const lines = detailsText(view, canvas);
  const room = Math.max(1, rows - head.length);
  const from = Math.min(view.offset, Math.max(0, lines.length - room));
  return [...head, ...lines.slice(from, from + room)];
}

/** How far one can go down. */
export function lastOffset(view: DetailsView, rows: number, canvas: Canvas): number {
  return Math.max(0, detailsText(view, canvas).length - Math.max(1, rows - headOf(view, canvas).length));
}

function headOf({ service, failure }: DetailsView, canvas: Canvas): string[] {
  const title = canvas.style('bold', clipped(`details of ${service}`, canvas.columns));
  return failure === null
    ? [title]
    : [title, canvas.style('red', clipped(safeText(failure), canvas.columns))];
}

function detailsText({ details, failure }: DetailsView, canvas: Canvas): string[] {
  if (details === null) return failure === null ? ['Asking the agent …'] : [];
  return paragraphs(details, canvas)
    .flatMap((text, index) => (index === 0 ? text.split('\n') : ['', ...text.split('\n')]))
    .flatMap((line) => wrapped(line, canvas.columns).toArray());
}

function paragraphs({ why, instances, deployments }: Details, canvas: Canvas): string[] {
  const [sentence = '', ...reasons] = whyTexts(why, canvas);
  return [
    sentence,
    ...(instances.length === 0 ? [] : [`Instances:\n${instanceTable(instances, canvas)}`]),
    ...reasons,
    ...(deployments.length === 0 ? [] : [`Last deployments:\n${deploymentTable(deployments, canvas)}`]),
  ];
}
