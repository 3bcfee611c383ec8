import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAtLeast, levelOf } from '../../src/logs/level.ts';

for (const [line, level] of [
  ['{"level":30,"msg":"x"}', 'info'],
  ['{"level":60,"msg":"x"}', 'fatal'],
  ['{"level":35,"msg":"x"}', 'info'],
  ['{"level":5}', null],
  ['{"time":1,"level":"warning","msg":"x"}', 'warn'],
  ['{"severity":"CRITICAL"}', 'fatal'],
  ['{"lvl":"dbg"}', 'debug'],
  ['{"lvl":"odd"}', null],
  ['{"@timestamp":"x","log.level":"ERROR","message":"x"}', 'error'],
  ['{"@level":"warn","@message":"x"}', 'warn'],
  ['{"levelname": "WARNING", "name": "root"}', 'warn'],
  [`{"msg":"${'x'.repeat(1000)}","level":"error"}`, 'error'],
  ['\u001b[32mINFO\u001b[39m started', 'info'],
  ['[12:00:00.123] \u001b[31mERROR\u001b[39m (123): failed', 'error'],
  ['12:00:00 [WRN] disk', 'warn'],
  ['<3>disk failure', 'error'],
  ['<6>started', 'info'],
  ['<9>no priority', null],
  ['W0131 12:00:00.000000 1 file.go:1] odd', 'warn'],
  ['E0131 is a name', null],
  ['2026/01/31 12:00:00 [emerg] 1#1: bind() failed', 'fatal'],
  ['{"msg":"ERROR in text"}', null],
  ['2026-01-01 12:00:00 ERROR cannot connect', 'error'],
  ['[warn] disk almost full', 'warn'],
  ['WARN: careful', 'warn'],
  ['error: no such file', 'error'],
  ['ts=1 level=debug msg="x"', 'debug'],
  ['level="error" msg=x', 'error'],
  ['an error occurred', null],
  ['NOTICE something', 'info'],
  ['INFORMATION', null],
  ['', null],
  [`${' '.repeat(400)}ERROR`, null],
] as const) {
  test(`the level of "${line.slice(0, 60)}" is ${level}`, () => assert.equal(levelOf(line), level));
}

test('a line that names no level counts as info', () => {
  assert.equal(isAtLeast(null, 'info'), true);
  assert.equal(isAtLeast(null, 'warn'), false);
  assert.equal(isAtLeast('error', 'warn'), true);
  assert.equal(isAtLeast('debug', 'info'), false);
});

test('a line made to be slow is judged at once', () => {
  const began = process.cpuUsage();
  for (let n = 0; n < 1000; n++) levelOf(`{"level" ${'" :'.repeat(100_000)}`);
  assert.ok(process.cpuUsage(began).user < 2_000_000);
});
