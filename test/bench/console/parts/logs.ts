import { setTimeout as sleep } from 'node:timers/promises';
import { program } from '../../programs.ts';
import type { Report } from '../../report.ts';
import type { Run } from '../../run.ts';
import { smoothReport } from '../smooth_report.ts';
import { watchPages } from '../smoothness.ts';
import { type ConsoleUnderTest, openPage } from '../stage.ts';

const rate = 1_000;

/** A log that is followed while much is written to it. */
export async function measureLogPage({ contenders, quick }: Run<ConsoleUnderTest>): Promise<Report> {
  const seconds = quick ? 20 : 600;
  const results = await contenders.onStage(async (stage) => {
    const command = program('numbered.pl', 'writer', rate);
    await stage.agent.askFor('POST', '/service/writer/deploy', { command });
    const logs = await openPage(stage, true);
    await logs.page.goto(`${stage.agent.url}/console/logs?services=writer`);
    await logs.page.getByRole('log').getByText('writer').first().waitFor();
    await sleep(5_000);
    return watchPages(stage.browser, { logs }, seconds, (time) => sleep(time * 1_000));
  });
  return smoothReport(`A log of ${rate} lines a second, followed for ${seconds} s`, results, [
    'Every line is a write of its own; the page stays at the newest.',
  ]);
}
