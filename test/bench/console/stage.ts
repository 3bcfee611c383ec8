import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core';
import { DavitAgent } from '../peers/davit_agent.ts';
import { findDavit } from '../peers/davit_program.ts';
import type { Sandbox } from '../sandbox.ts';

/** An agent and a browser that looks at its console. */
export interface Stage {
  readonly agent: DavitAgent;
  readonly browser: Browser;
}

/** Has `use` look at a fresh agent, and ends both after it. @param configuration of the agent, as YAML */
export type OnStage = <T>(use: (stage: Stage) => Promise<T>, configuration?: string) => Promise<T>;

export interface ConsoleUnderTest {
  readonly onStage: OnStage;
  readonly versions: Readonly<Record<string, string>>;
}

/** A page, and the browser's own account of it. */
export interface OpenedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly devtools: CDPSession;
}

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
// A page counts as one that is looked at, also where several are open.
const args = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--enable-precise-memory-info',
];

/** Finds davit and the Chromium of this system. */
export async function prepareConsole(sandbox: Sandbox, fromSource: boolean): Promise<ConsoleUnderTest> {
  const program = await findDavit(fromSource);
  const found = await chromium.launch({ executablePath, args });
  const version = found.version();
  await found.close();
  const onStage: OnStage = async (use, configuration = '') => {
    const agent = await DavitAgent.start(program, { folder: sandbox.makeFolder('console'), configuration });
    return sandbox.using(
      () => agent.stop(),
      async () => {
        const browser = await chromium.launch({ executablePath, args });
        return sandbox.using(
          () => browser.close(),
          () => use({ agent, browser }),
        );
      },
    );
  };
  return { onStage, versions: { davit: program.version, Chromium: version } };
}

/** An empty page of a browser that knows nothing yet, signed in where that is wanted. */
export async function openPage({ agent, browser }: Stage, isSignedIn: boolean): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US' });
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send('Performance.enable');
  if (isSignedIn) {
    const credential = (agent.headers['authorization'] ?? '').replace('Bearer ', '');
    await context.request.post(`${agent.url}/api/v1/session`, { data: { credential } });
    await context.addInitScript("localStorage.setItem('davit.signed_in', 'true')");
  }
  return { page, context, devtools };
}

/** Deploys so many services that do nothing, by a few calls. */
export async function deployIdle(agent: DavitAgent, ids: readonly string[]): Promise<void> {
  const body = { command: 'exec sleep 100000', min_uptime: '0s', tags: ['bench'] };
  for (let at = 0; at < ids.length; at += 100) {
    const operations = ids.slice(at, at + 100).map((service) => ({ operation: 'deploy', service, body }));
    await agent.askFor('POST', '/api/v1/batch', { operations });
  }
}
