import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../helpers/free_port.ts';
import { openBackend } from '../helpers/http_front.ts';
import { until } from '../helpers/system.ts';
import { settingsOf, World } from '../traffic/world.ts';
import { readLine } from './access_lines.ts';

const program = join(import.meta.dirname, '../../src/main.ts');

/** A router in a process of its own that writes everything down, and an instance that answers only to `/fine`. */
async function setUp(t: TestContext) {
  const asked: string[] = [];
  const { port: backend } = await openBackend(t, ({ url = '' }, response) => {
    asked.push(url);
    if (url === '/fine') response.end('x');
  });
  const port = await freePort();
  const world = new World();
  t.after(() => world[Symbol.dispose]());
  world.settings = settingsOf(port, { drain_timeout: '200ms', access_log: {} });
  world.add('web', { routes: [{ hosts: ['web.test'] }] });
  world.registry.updateInstance('web', 1, { port: backend });
  const [out, err] = ['out', 'err'].map((name) => join(world.directory, name)) as [string, string];
  const descriptors = [openSync(out, 'a'), openSync(err, 'a')] as const;
  const child = spawn(process.execPath, [program, 'router', '--directory', world.directory], {
    stdio: ['ignore', ...descriptors],
  });
  for (const descriptor of descriptors) closeSync(descriptor);
  t.after(() => child.kill('SIGKILL'));
  await until('it is ready', () => readFileSync(err, 'utf8').includes('"msg":"routing'));
  const ask = (path: string) =>
    request({ port, path, headers: { host: 'web.test' }, agent: false })
      .on('error', () => {})
      .end();
  const lines = () => readFileSync(out, 'utf8').split('\n').slice(0, -1).map(readLine);
  return { asked, child, ask, lines };
}

test('a router that ends writes down what it has and what it cuts off, and nothing else on its standard output', async (t) => {
  const { asked, child, ask, lines } = await setUp(t);
  const [response] = await once(ask('/fine'), 'response');
  response.resume();
  await once(response, 'end');
  ask('/never');
  await until('it is under way', () => asked.includes('/never'));
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  assert.deepEqual(
    lines().map(({ path, status, failure }) => ({ path, status, failure })),
    [
      { path: '/fine', status: 200, failure: null },
      { path: '/never', status: null, failure: 'cut_off' },
    ],
  );
});
