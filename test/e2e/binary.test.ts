import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { readAsset } from '../../src/lib/assets.ts';
import { version } from '../../src/lib/version.ts';

const built = process.env['DAVIT_BINARY'];
const skip = built ? false : 'DAVIT_BINARY names no binary: run "npm run build" and set it to dist/davit';

test('the binary tells its version and the commit that it was built from', { skip }, (t) => {
  const { binary, alone } = placeBinary(t);
  const answer = execFileSync(binary, ['--version'], { cwd: alone, env: {}, encoding: 'utf8' });
  assert.ok(answer.includes(version), answer);
  assert.match(answer, /\b([0-9a-f]{7,}(-dirty)?|unknown)\b/);
});

test('the binary runs no code that NODE_OPTIONS names', { skip }, (t) => {
  const { binary, alone, folder } = placeBinary(t);
  const trace = join(folder, 'injected');
  const injection = join(folder, 'injection.cjs');
  writeFileSync(injection, `require('node:fs').writeFileSync(${JSON.stringify(trace)}, '');`);
  const env = { NODE_OPTIONS: `--require ${injection}` };
  execFileSync(process.execPath, ['--eval', ''], { env });
  assert.ok(existsSync(trace), 'Node itself takes it');
  rmSync(trace);
  execFileSync(binary, ['--version'], { cwd: alone, env });
  assert.equal(existsSync(trace), false);
});

test('the binary serves from an empty folder without PATH, warns of nothing and writes nothing there', {
  skip,
}, async (t) => {
  const { binary, alone, folder } = placeBinary(t);
  const data = join(folder, 'data');
  const child = spawn(binary, ['agent', '--listen', '127.0.0.1:0', '--data', data], {
    cwd: alone,
    env: {},
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const url = await listeningAddress(child, lines);
  const answer = await fetch(`${url}/health`);
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { status: 'ok', message: 'Service agent is running' });
  assert.deepEqual(JSON.parse(readFileSync(join(data, 'agent.json'), 'utf8')), { url, pid: child.pid });
  const key = readFileSync(join(data, 'admin.key'), 'utf8').trim();
  const style = await fetch(`${url}/docs/swagger-ui.css`, { headers: { 'X-API-Key': key } });
  assert.ok(readAsset('swagger-ui.css').equals(Buffer.from(await style.arrayBuffer())));
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  const alarming = lines.filter((line) => !line.startsWith('{') || JSON.parse(line).level !== 'info');
  assert.deepEqual(alarming, []);
  assert.deepEqual(readdirSync(alone), ['davit']);
});

/** A copy of the binary with nothing beside it, in a folder that goes with the test. */
function placeBinary(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'davit-binary-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const alone = join(folder, 'alone');
  const binary = join(alone, 'davit');
  mkdirSync(alone);
  copyFileSync(resolve(built ?? ''), binary);
  return { folder, alone, binary };
}

/** Collects the child's stderr into `lines`, until the one that tells where it listens; throws them all if it ends before. */
function listeningAddress(child: ChildProcess, lines: string[]): Promise<string> {
  return new Promise((found, failed) => {
    if (!child.stderr) throw new Error('stderr is not piped');
    const reader = createInterface({ input: child.stderr });
    reader.on('line', (line) => {
      lines.push(line);
      if (line.includes('"listening"')) found(JSON.parse(line).url);
    });
    reader.on('close', () => failed(new Error(`The agent ended:\n${lines.join('\n')}`)));
    child.on('error', failed);
  });
}
