import type { Minimum, Report } from '../report.ts';
import { inMebibytes, inMilliseconds } from '../report.ts';
import type { Smoothness } from './smoothness.ts';

const longestTask = 100;
/** What the heap may grow by in ten minutes, in bytes. */
const mostGrowth = 10 * 2 ** 20;

/** A table of how smooth pages were, with what each must reach. */
export function smoothReport(
  title: string,
  results: Readonly<Record<string, Smoothness>>,
  notes: readonly string[],
): Report {
  return {
    title,
    columns: [
      '',
      'longest frame',
      'frames > 100 ms',
      'longest task',
      'most work',
      'tasks > 50 ms',
      'elements',
      'heap before',
      'heap after',
    ],
    rows: Object.entries(results).map(([name, seen]) => [
      name,
      inMilliseconds(seen.longestFrame),
      String(seen.droppedFrames),
      inMilliseconds(seen.longestTask),
      inMilliseconds(seen.longestWork),
      String(seen.longTasks),
      String(seen.nodes),
      inMebibytes(seen.heapBefore),
      inMebibytes(seen.heapAfter),
    ]),
    minimums: Object.entries(results).flatMap(([name, seen]) => minimums(name, seen)),
    notes: [
      'A frame is the time between two that the browser draws, a task what keeps the page from answering meanwhile; both are by the clock, so that other work on the machine counts too. Work is what the processor spent on the longest task of the 15 s before, of all pages together, whatever else the machine did. The heap is taken once what nobody uses was collected.',
      ...notes,
    ],
    samples: results,
  };
}

function minimums(name: string, seen: Smoothness): Minimum[] {
  const growth = seen.heapAfter - seen.heapBefore;
  return [
    {
      what: `${name}: longest task, work of the processor`,
      measured: inMilliseconds(seen.longestWork),
      wanted: `under ${longestTask} ms`,
      held: seen.longestWork < longestTask,
    },
    {
      what: `${name}: growth of the heap`,
      measured: inMebibytes(growth),
      wanted: `under ${inMebibytes(mostGrowth)}`,
      held: growth < mostGrowth,
    },
  ];
}
