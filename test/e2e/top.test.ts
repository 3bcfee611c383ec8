import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { ScreenReader } from '../helpers/screen_reader.ts';
import { until } from '../helpers/system.ts';

const enter = '\u001b[?1049h';
const leave = '\u001b[?1049l';
const escapeKey = '\u001b';
const arrowDown = '\u001b[B';
const interrupt = '\u0003';
const suspend = '\u001a';
const counts = 'n=0; while :; do n=$((n+1)); echo "line $n of it"; sleep 0.05; done';

let agent: RunningAgent;

before(async () => {
  agent = await startAgent();
  const commands = { counter: counts, idle: 'exec sleep 1000', other: 'exec sleep 1000' };
  for (const [id, command] of Object.entries(commands)) {
    const { status } = await agent.call('POST', `/service/${id}/deploy`, { command, min_uptime: '50ms' });
    assert.equal(status, 200);
  }
});
after(() => agent[Symbol.asyncDispose]());

const top = [...davitCommand, 'top', '--interval', '200ms', '--sort', 'name']
  .map((word) => `'${word}'`)
  .join(' ');

function open(line = `exec ${top}`, env: Readonly<Record<string, string>> = {}): ScreenReader {
  const own = { PATH: process.env['PATH'] ?? '', HOME: agent.data, DAVIT_DATA: agent.data };
  return new ScreenReader(line, { ...own, ...env });
}

async function statusOf(service: string) {
  return (await agent.call('GET', `/service/${service}/status`)).body;
}

/** Ends it by a key; the terminal must be as it was. */
async function quit(screen: ScreenReader, key = 'q', code = 0): Promise<void> {
  screen.type(key);
  assert.equal(await screen.ended(), code);
  assert.ok(screen.output.trimEnd().endsWith(leave), JSON.stringify(screen.output.slice(-200)));
}

test('services are filtered, restarted, stopped and started by keys, and show what the agent says of them', async () => {
  await using screen = open();
  await screen.sees(/> +counter +running +1\/1.*\n +idle +running.*\n +other +running/);
  screen.type('/idl');
  await screen.sees(/> +idle +running[^\n]*\n\s*\n[\s\S]*\/idl_ +1 of 3/);
  screen.type('\r');
  await screen.sees(/\/idl \(1 of 3\)/);

  const { pid } = await statusOf('idle');
  screen.type('r');
  await screen.sees(/Restart idle, with 1 running instance\? y\/n/);
  screen.type('n');
  await screen.sees(/r restart/);
  assert.equal((await statusOf('idle')).pid, pid);
  screen.type('ry');
  await screen.sees(/idle: restarted, release 1 as pid \d+/);
  const restarted = await statusOf('idle');
  assert.equal(restarted.status, 'running');
  assert.notEqual(restarted.pid, pid);

  screen.type('xy');
  await screen.sees(/idle: stopped by SIGTERM/);
  await screen.sees(/> +idle +stopped +0\/1/);
  assert.equal((await statusOf('idle')).status, 'stopped');
  screen.type('u');
  await screen.sees(/idle: started, release 1 as pid \d+/);
  await screen.sees(/> +idle +running +1\/1/);
  await quit(screen);
});

test('logs come as they are written, stand still, go back, are searched, and follow again', async () => {
  await using screen = open();
  await screen.sees(/> +counter/);
  screen.type('\r');
  await screen.sees(/logs of counter +following\n(line \d+ of it\n)+/);
  const [seen] = screen.picture.match(/line (\d+) of it/g)?.slice(-1) ?? [];
  await screen.sees(new RegExp(`line ${Number(/\d+/.exec(seen ?? '')) + 5} of it`));
  screen.type('p');
  await screen.sees(/paused/);
  const still = screen.picture.split('\n').slice(1, -1);
  await screen.sees(/paused, \d\d+ more below/);
  assert.deepEqual(screen.picture.split('\n').slice(1, -1), still);
  screen.type('g');
  await screen.sees(/paused[^\n]*\nline 1 of it\n/);
  screen.type('/(\r');
  await screen.sees(/is not a regular expression/);
  screen.type('/[05] of\r');
  await screen.sees(/following +\/\[05\] of\/\n(line \d*[05] of it\n)+/);
  screen.type(escapeKey);
  await screen.sees(/SERVICE▾ +STATE/);
  await quit(screen);
});

test('details tell why, and have the instances and the deployments', async () => {
  await using screen = open();
  await screen.sees(/> +counter/);
  screen.type(`${arrowDown}${arrowDown}`);
  await screen.sees(/> +other/);
  screen.type('d');
  await screen.sees(/details of other\nother is running[\s\S]*INSTANCE[\s\S]*\n1 +running[\s\S]*DEPLOYMENT/);
  screen.type('?');
  await screen.sees(/Keys in the details/);
  await quit(screen, interrupt, 130);
});

test('what a key may not do is said in the words of the agent, and changes nothing', async () => {
  const { body } = await agent.call('POST', '/api/v1/keys', { name: 'reader', scopes: ['read'] });
  await using screen = open(undefined, { DAVIT_KEY: body.key });
  await screen.sees(/> +counter/);
  const { pid } = await statusOf('counter');
  screen.type('ry');
  await screen.sees(/restart counter: this call on "counter" needs the scope operate/);
  assert.equal((await statusOf('counter')).pid, pid);
  await quit(screen);
});

test('a terminal that gets another size gets a picture for it', async () => {
  await using screen = open();
  await screen.sees(/UPTIME/);
  spawnSync('stty', ['-F', screen.terminal, 'cols', '40', 'rows', '10']);
  await screen.sees(/^[^\n]{1,40}\n(?![\s\S]*UPTIME)[\s\S]*MEMORY\n/);
  assert.equal(screen.picture.split('\n').length, 10);
  spawnSync('stty', ['-F', screen.terminal, 'cols', '200', 'rows', '30']);
  await screen.sees(/RESTARTS/);
  await quit(screen);
});

test('Ctrl-Z gives the terminal to the shell, and takes it back with fg', async () => {
  await using screen = open(
    `exec bash --norc -c "set -m; ${top}; stty -a; echo it stands; fg; echo it ended"`,
  );
  await screen.sees(/> +counter/);
  screen.type(suspend);
  await until('it is back', () => screen.output.split(enter).length === 3);
  const [, shell] = screen.output.split(leave);
  assert.match(shell ?? '', /[^-]icanon[\s\S]*[^-]echo[\s\S]*it stands/);
  screen.type('j');
  await screen.sees(/> +idle/);
  screen.type('q');
  assert.equal(await screen.ended(), 0);
  assert.match(screen.output.slice(screen.output.lastIndexOf(leave)), /it ended/);
});

test('however fast lines come, there are ten pictures a second', async () => {
  const command =
    'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo "flood $i"; done; echo over; exec sleep 1000';
  await using screen = open();
  await screen.sees(/> +counter/);
  const begin = performance.now();
  const before = screen.pictures;
  await agent.call('POST', '/service/flood/deploy', { command: 'exec sleep 1000', min_uptime: '50ms' });
  screen.type('/flood\r');
  await screen.sees(/> +flood/);
  screen.type('l');
  await screen.sees(/logs of flood/);
  await agent.call('POST', '/service/flood/deploy', { command, min_uptime: '50ms' });
  await screen.sees(/\nflood 20000\nover\n|flood 20000\n[^\n]*over\n/);
  const keys = '/flood\rl'.length;
  assert.ok(screen.pictures - before <= keys + 2 + (performance.now() - begin) / 100);
  await quit(screen);
});

test('an agent that is gone leaves what was seen, with a word on it, and is seen again when it is back', async () => {
  const first = await startAgent();
  await first.call('POST', '/service/web/deploy', { command: 'exec sleep 1000', min_uptime: '50ms' });
  await using screen = open(undefined, { DAVIT_DATA: first.data, HOME: first.data });
  await screen.sees(/> +web +running/);
  await first.end();
  await screen.sees(/^As of [\s\S]*> +web +running/);
  screen.type('ry');
  await screen.sees(/restart web: cannot reach the agent/);
  const { host } = new URL(first.url);
  await using second = await startAgent({ data: first.data, config: { listen: host } });
  await until('it listens again', async () => (await second.call('GET', '/health')).status === 200);
  await screen.sees(/^davit [\s\S]*> +web +running/);
  await quit(screen);
});
