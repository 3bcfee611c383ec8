import type { Browser } from 'playwright-core';
import { median } from '../statistics.ts';
import type { OpenedPage } from './stage.ts';
import { longestTask } from './task_trace.ts';

/** How smooth a page was while it was looked at, and what it held. */
export interface Smoothness {
  /** Milliseconds between two frames, at most. */
  readonly longestFrame: number;
  /** How many frames took more than 100 ms. */
  readonly droppedFrames: number;
  /** Milliseconds of the longest task that kept the page from answering. */
  readonly longestTask: number;
  /** Milliseconds of the processor for the longest task of all pages in the 15 seconds before. */
  readonly longestWork: number;
  /** How many tasks took more than 50 ms. */
  readonly longTasks: number;
  readonly nodes: number;
  /** Of the heap once what is not used was collected, in bytes: at the begin and at the end. */
  readonly heapBefore: number;
  readonly heapAfter: number;
}

interface Seen {
  readonly frames: readonly number[];
  readonly tasks: readonly number[];
}

/** How long tasks are traced, in seconds: a trace of ten minutes would be too large. */
const traceTime = 15;
/** Frames and long tasks, from the moment at which it runs in a page. */
const watching = `(() => {
  const seen = { frames: [], tasks: [] };
  globalThis.benchSeen = seen;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) seen.tasks.push(duration);
  }).observe({ type: 'longtask' });
  let last = performance.now();
  const frame = (now) => {
    if (now - last > 50) seen.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})()`;

/**
 * Looks at pages while something is done to them: first at their work, which is traced, then at their frames for so many
 * seconds. To read a trace out holds pages up, which would be seen as a long frame.
 * @param during does it for so many seconds
 */
export async function watchPages(
  browser: Browser,
  pages: Readonly<Record<string, OpenedPage>>,
  seconds: number,
  during: (seconds: number) => Promise<void>,
): Promise<Record<string, Smoothness>> {
  const [longestWork] = await Promise.all([longestTask(browser, traceTime * 1_000), during(traceTime)]);
  const watched = [];
  for (const [name, opened] of Object.entries(pages)) {
    const { heap } = await lookAt(opened);
    watched.push({ name, opened, heapBefore: heap });
  }
  // The collection of what is not used is no work of the page.
  for (const { opened } of watched) await opened.page.evaluate(watching);
  await during(seconds);
  const seen = [];
  for (const { opened } of watched) seen.push((await opened.page.evaluate('globalThis.benchSeen')) as Seen);
  const results: Record<string, Smoothness> = {};
  for (const [at, { name, opened, heapBefore }] of watched.entries()) {
    const { frames = [], tasks = [] } = seen[at] ?? {};
    const { heap, nodes } = await lookAt(opened);
    results[name] = {
      longestFrame: Math.max(0, ...frames),
      droppedFrames: frames.filter((length) => length > 100).length,
      longestTask: Math.max(0, ...tasks),
      longestWork,
      longTasks: tasks.length,
      nodes,
      heapBefore,
      heapAfter: heap,
    };
  }
  return results;
}

async function lookAt({ page, devtools }: OpenedPage): Promise<{ heap: number; nodes: number }> {
  const heaps: number[] = [];
  for (let look = 0; look < 3; look++) {
    await devtools.send('HeapProfiler.collectGarbage');
    const { metrics } = await devtools.send('Performance.getMetrics');
    heaps.push(metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? 0);
  }
  const nodes = await page.evaluate("document.querySelectorAll('*').length");
  return { heap: median(heaps), nodes: Number(nodes) };
}
