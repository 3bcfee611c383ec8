import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../http_client.ts';
import type { Report } from '../../report.ts';
import { fileLimit } from '../../router/file_limit.ts';
import { expectLine, startProgram } from '../../router/load.ts';
import { compilePrograms } from '../../router/programs.ts';
import type { Run } from '../../run.ts';
import { smoothReport } from '../smooth_report.ts';
import { type Smoothness, watchPages } from '../smoothness.ts';
import { type ConsoleUnderTest, openPage, type Stage } from '../stage.ts';

const wanted = 5_000;

/** The page of connections with many that are open through the router. */
export async function measureConnectionsPage(run: Run<ConsoleUnderTest>): Promise<Report> {
  const seconds = run.quick ? 20 : 600;
  const count = Math.min(wanted, Math.floor((fileLimit() - 1_000) / 2));
  const port = await freePort();
  const configuration = `router: { listeners: [{ address: '127.0.0.1:${port}' }], limits: { connections_per_address: 100000, idle_timeout: 1h } }\n`;
  const results = await run.contenders.onStage(
    (stage) => measure(run, stage, { port, count, seconds }),
    configuration,
  );
  return smoothReport(`${count} open connections, for ${seconds} s`, results, [
    'WebSocket connections at rest, which the page asks for again and again, all in one table that is scrolled to its end and back meanwhile.',
  ]);
}

interface Load {
  readonly port: number;
  readonly count: number;
  readonly seconds: number;
}

async function measure(
  { sandbox }: Run<ConsoleUnderTest>,
  stage: Stage,
  { port, count, seconds }: Load,
): Promise<Record<string, Smoothness>> {
  const folder = sandbox.makeFolder('load');
  const programs = await compilePrograms(folder);
  await stage.agent.askFor('POST', '/service/web/deploy', {
    command: `exec ${programs.backend} $PORT`,
    port: 'auto',
    readiness: { type: 'tcp' },
    routes: [{ path_prefix: '/' }],
  });
  const command = [programs.websocket_load, 'rest', port, count, 64].map(String);
  const { child, lines } = startProgram({ command, folder, cores: '0-1' });
  const ended = once(child, 'exit');
  const stop = async () => {
    child.stdin?.end();
    await ended;
  };
  return sandbox.using(stop, async () => {
    await expectLine(lines, 'ready');
    const connections = await openPage(stage, true);
    await connections.page.goto(`${stage.agent.url}/console/connections`);
    await connections.page.getByRole('row').nth(5).waitFor();
    await sleep(5_000);
    return watchPages(stage.browser, { connections }, seconds, async (time) => {
      const end = Date.now() + time * 1_000;
      while (Date.now() < end) {
        for (const direction of [1, -1]) {
          for (let step = 0; step < 20; step++) {
            await connections.page.mouse.wheel(0, direction * 2_000);
            await sleep(100);
          }
        }
      }
    });
  });
}
