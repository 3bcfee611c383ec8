import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds of the processor. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

const categories = ['disabled-by-default-devtools.timeline', 'toplevel', '__metadata'];
const tasks = new Set(['RunTask', 'ThreadControllerImpl::RunTask']);

/**
 * The longest task of all pages while they are traced, in milliseconds of the processor: other work on the machine does not
 * make it longer.
 */
export async function longestTask(browser: Browser, milliseconds: number): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const events: TraceEvent[] = [];
  session.on('Tracing.dataCollected', ({ value }) => {
    for (const event of value as unknown as TraceEvent[]) {
      if (tasks.has(event.name) || event.name === 'thread_name') events.push(event);
    }
  });
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: categories, excludedCategories: ['*'] },
  });
  await sleep(milliseconds);
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  await session.detach();
  return longestOf(events);
}

function longestOf(events: readonly TraceEvent[]): number {
  const main = new Set(
    events.flatMap(({ name, pid, tid, args }) =>
      name === 'thread_name' && args?.name === 'CrRendererMain' ? [`${pid} ${tid}`] : [],
    ),
  );
  return events.reduce(
    (longest, { name, pid, tid, tdur = 0 }) =>
      tasks.has(name) && main.has(`${pid} ${tid}`) ? Math.max(longest, tdur / 1_000) : longest,
    0,
  );
}
