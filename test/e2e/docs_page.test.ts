import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startAgent } from '../helpers/agent.ts';

const skip = spawnSync('chromium', ['--version']).status === 0 ? false : 'chromium is not installed';
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-logging=stderr',
  '--virtual-time-budget=10000',
];

test('the page of the API is drawn by a browser from the agent alone, under its content security policy', {
  skip,
}, async () => {
  await using agent = await startAgent();
  const profile = await mkdtemp(join(tmpdir(), 'davit-chromium-'));
  const address = `${agent.url.replace('://', `://anyone:${agent.key}@`)}/docs`;
  try {
    const arguments_ = [...flags, `--user-data-dir=${profile}`, '--dump-dom', address];
    const { stdout, stderr } = await promisify(execFile)('chromium', arguments_, {
      maxBuffer: 2 ** 26,
      timeout: 60_000,
    });
    assert.match(stdout, /id="operations-pipeline-deployService"/);
    assert.match(stdout, /Authorize/);
    assert.doesNotMatch(stderr, /Content Security Policy|Refused to/);
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
});

test('a browser is asked for a password on the page, and nowhere else', async () => {
  await using agent = await startAgent();
  const basic = { authorization: `Basic ${Buffer.from(`anyone:${agent.key}`).toString('base64')}` };
  const none = { authorization: '' };
  assert.match(
    (await agent.call('GET', '/docs', undefined, none)).headers.get('www-authenticate') ?? '',
    /^Basic/,
  );
  assert.match(
    (await agent.call('GET', '/services', undefined, none)).headers.get('www-authenticate') ?? '',
    /^Bearer/,
  );
  assert.equal((await agent.call('GET', '/docs', undefined, basic)).status, 200);
  assert.equal((await agent.call('GET', '/services', undefined, basic)).status, 401);
});
