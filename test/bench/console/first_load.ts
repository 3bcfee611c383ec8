import { setTimeout as sleep } from 'node:timers/promises';
import { type OpenedPage, openPage, type Stage } from './stage.ts';

/** What came over the network for one load, in bytes as transferred, heads of the answers included. */
export interface Transfer {
  readonly requests: number;
  readonly scripts: number;
  readonly styles: number;
  readonly others: number;
  /** Of the scripts, those that draw charts, which come once one is to be seen. */
  readonly charts: number;
}

/** When a load was how far, in milliseconds. */
export interface Timing {
  readonly firstPaint: number;
  readonly largestPaint: number;
  readonly blocking: number;
  readonly interactive: number;
}

export interface LoadOptions {
  /** After the address of the agent. */
  readonly path: string;
  readonly isSignedIn: boolean;
  /** How many times slower than it is the processor shall be. */
  readonly slowdown: number;
  readonly encoding: 'br' | 'gzip';
}

/** How long nothing long may happen for a page to count as interactive, in milliseconds. */
const quiet = 5_000;
const watching = `(() => {
  const seen = { tasks: [], largest: 0 };
  globalThis.benchSeen = seen;
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) seen.tasks.push([startTime, duration]);
  }).observe({ type: 'longtask', buffered: true });
  new PerformanceObserver((list) => {
    for (const { startTime } of list.getEntries()) seen.largest = startTime;
  }).observe({ type: 'largest-contentful-paint', buffered: true });
})()`;
const reading = `({
  ...globalThis.benchSeen,
  first: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
  now: performance.now(),
})`;

interface Seen {
  readonly tasks: readonly (readonly [start: number, duration: number])[];
  readonly largest: number;
  readonly first: number;
  readonly now: number;
}

/** Loads a page in a browser that has nothing of it, and waits until it is quiet. */
export async function loadFirst(
  stage: Stage,
  { path, isSignedIn, slowdown, encoding }: LoadOptions,
): Promise<{ transfer: Transfer; timing: Timing }> {
  const opened = await openPage(stage, isSignedIn);
  const { page, context, devtools } = opened;
  await devtools.send('Network.enable');
  await context.setExtraHTTPHeaders({ 'accept-encoding': encoding });
  if (slowdown > 1) await devtools.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
  const read = countTransfer(opened);
  await page.addInitScript(watching);
  await page.goto(stage.agent.url + path);
  await page.getByRole('heading', { level: 1 }).waitFor();
  const seen = await untilQuiet(opened);
  const transfer = read();
  await context.close();
  return { transfer, timing: timingOf(seen) };
}

function countTransfer({ devtools }: OpenedPage): () => Transfer {
  const kinds = new Map<string, { kind: string; url: string }>();
  const sums = { requests: 0, scripts: 0, styles: 0, others: 0, charts: 0 };
  devtools.on('Network.responseReceived', ({ requestId, type, response }) => {
    kinds.set(requestId, { kind: type, url: response.url });
  });
  devtools.on('Network.requestWillBeSent', ({ request }) => {
    if (request.url.startsWith('http')) sums.requests += 1;
  });
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const { kind = '', url = '' } = kinds.get(requestId) ?? {};
    if (kind === 'Script') sums.scripts += encodedDataLength;
    else if (kind === 'Stylesheet') sums.styles += encodedDataLength;
    else sums.others += encodedDataLength;
    if (kind === 'Script' && /\/(chart|TimeChart)-/.test(url)) sums.charts += encodedDataLength;
  });
  return () => sums;
}

async function untilQuiet({ page }: OpenedPage): Promise<Seen> {
  for (;;) {
    const seen = (await page.evaluate(reading)) as Seen;
    const [start = 0, duration = 0] = seen.tasks.at(-1) ?? [];
    if (seen.now - Math.max(seen.first, seen.largest, start + duration) > quiet) return seen;
    await sleep(250);
  }
}

/** In the way of Lighthouse: interactive at the end of the last long task before the quiet, at the first paint without one. */
function timingOf({ tasks, largest, first }: Seen): Timing {
  const after = tasks.filter(([start, duration]) => start + duration > first);
  const [start = 0, duration = 0] = after.at(-1) ?? [];
  return {
    firstPaint: first,
    largestPaint: largest,
    blocking: after.reduce(
      (sum, [from, length]) => sum + Math.max(0, from + length - Math.max(first, from) - 50),
      0,
    ),
    interactive: Math.max(first, start + duration),
  };
}
