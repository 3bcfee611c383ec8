import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { RunningAgent } from './agent.ts';

/** How a page is looked at. */
interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly theme?: 'light' | 'dark';
  /** Of the browser, such as `en-US` and `zh-CN`. */
  readonly language?: string;
}

/** A page, and what it complained of: errors of scripts and refusals of the content security policy. */
export interface OpenPage {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly complaints: readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts the Chromium of this system. */
export async function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--lang=en-US'],
  });
}

/** Opens a page of the console in a browser that knows nothing yet. */
export async function openConsole(
  browser: Browser,
  url: string,
  path = '/',
  { width = 1440, height = 900, theme = 'light', language = 'en-US' }: Look = {},
): Promise<OpenPage> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    locale: language,
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
    hasTouch: width < 600,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`${error.name}: ${error.message}`));
  page.on('console', (message) => {
    const isOfNetwork = /Failed to load resource|net::ERR/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !isOfNetwork) complaints.push(message.text());
  });
  await page.goto(url + path);
  return { page, context, complaints, [Symbol.asyncDispose]: () => context.close() };
}

/** Opens a page with a session that was made outside the browser. */
export async function openSignedIn(
  browser: Browser,
  agent: Pick<RunningAgent, 'url' | 'key'>,
  path = '/console/',
  look: Look = {},
): Promise<OpenPage> {
  const opened = await openConsole(browser, agent.url, '/console/davit.svg', look);
  const response = await opened.context.request.post(`${agent.url}/api/v1/session`, {
    data: { credential: agent.key },
  });
  if (!response.ok())
    throw new Error(`signing in was answered ${response.status()}: ${await response.text()}`);
  // A page asks for a session only where somebody has signed in with this browser.
  await opened.page.evaluate(() => localStorage.setItem('davit.signed_in', 'true'));
  await opened.page.goto(agent.url + path);
  return opened;
}
