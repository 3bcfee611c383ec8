import { setTimeout as sleep } from 'node:timers/promises';
import { serviceIds } from '../../contenders.ts';
import type { DavitAgent } from '../../peers/davit_agent.ts';
import type { Report } from '../../report.ts';
import type { Run } from '../../run.ts';
import { smoothReport } from '../smooth_report.ts';
import { watchPages } from '../smoothness.ts';
import { type ConsoleUnderTest, deployIdle, openPage } from '../stage.ts';

/** How many are restarted at once, and how long after that the next, in milliseconds. */
const atOnce = 5;
const pause = 1_000;

/** The overview and the list of services with many of them, while some are restarted all the time. */
export async function measureServicePages({ contenders, quick }: Run<ConsoleUnderTest>): Promise<Report> {
  const ids = serviceIds(500);
  const seconds = quick ? 20 : 600;
  const results = await contenders.onStage(async (stage) => {
    await deployIdle(stage.agent, ids);
    const overview = await openPage(stage, true);
    await overview.page.goto(`${stage.agent.url}/console/`);
    await overview.page
      .getByText('500 services running')
      .or(overview.page.getByText('Needs'))
      .first()
      .waitFor();
    const services = await openPage(stage, true);
    await services.page.goto(`${stage.agent.url}/console/services`);
    await services.page.getByRole('link', { name: 's1', exact: true }).waitFor();
    // Until all have been looked at, and what is loaded first is there.
    await sleep(12_000);
    return watchPages(stage.browser, { overview, services }, seconds, (time) =>
      restartSome(stage.agent, ids, time),
    );
  });
  return smoothReport(`500 services, ${atOnce} of them restarted each second, for ${seconds} s`, results, [
    'Every service is `sleep 100000`. Both pages are open at the same time, each in a browser window of its own.',
  ]);
}

async function restartSome(agent: DavitAgent, ids: readonly string[], seconds: number): Promise<void> {
  const end = Date.now() + seconds * 1_000;
  for (let at = 0; Date.now() < end; at = (at + atOnce) % ids.length) {
    const operations = ids
      .slice(at, at + atOnce)
      .map((service) => ({ operation: 'restart', service, body: {} }));
    const begun = Date.now();
    await agent.askFor('POST', '/api/v1/batch', { operations });
    await sleep(Math.max(0, begun + pause - Date.now()));
  }
}
