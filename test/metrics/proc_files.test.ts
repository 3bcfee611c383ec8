import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  parseDisks,
  parseLoad,
  parseMemory,
  parseNetwork,
  parsePressure,
  parseStat,
} from '../../src/metrics/proc_files.ts';

const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };
const none = () => false;

const stat = `cpu  2511497 29618 1224673 3017850 6860 3 85086 7332 500 20
cpu0 1255901 14528 599497 1520638 1702 0 45811 3664 0 0
cpu1 1255596 15090 625176 1497212 5157 0 39274 3668 0 0
intr 44 0 0
ctxt 99
btime 1795258782
processes 12
`;

test('times of the host are read, each in its kind and once', () => {
  assert.deepEqual(parseStat(stat), {
    booted_at: 1_795_258_782_000,
    processors: 2,
    cpu_seconds: { user: 25_411.15, system: 13_097.62, idle: 30_178.5, iowait: 68.6, steal: 73.32 },
  });
});

test('times that an old kernel does not tell are zero', () => {
  assert.deepEqual(parseStat('cpu  100 0 200 300\ncpu0 100 0 200 300\n').cpu_seconds, {
    user: 1,
    system: 2,
    idle: 3,
    iowait: 0,
    steal: 0,
  });
});

test('memory is read in bytes', () => {
  const text = `MemTotal:        2000 kB
MemFree:          100 kB
MemAvailable:    1500 kB
Active(anon):    1624 kB
SwapTotal:        512 kB
SwapFree:         500 kB
HugePages_Total:       7
`;
  assert.deepEqual(parseMemory(text), {
    memory: { total: 2_048_000, available: 1_536_000 },
    swap: { total: 524_288, free: 512_000 },
  });
});

test('where the kernel does not say what memory is available, what is free or cached counts', () => {
  const text = 'MemTotal: 2000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 300 kB\n';
  assert.deepEqual(parseMemory(text).memory, { total: 2_048_000, available: 430_080 });
});

test('what is available is never more than there is', () => {
  const text = 'MemTotal: 10 kB\nMemAvailable: 20 kB\n';
  assert.deepEqual(parseMemory(text).memory, { total: 10_240, available: 10_240 });
});

test('load averages are read', () => {
  assert.deepEqual(parseLoad('0.69 0.47 1.12 5/144 28538\n'), [0.69, 0.47, 1.12]);
  assert.deepEqual(parseLoad(''), [0, 0, 0]);
});

const network = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 900 9 0 0 0 0 0 0 900 9 0 0 0 0 0 0
docker0: 70 1 0 0 0 0 0 0 71 1 0 0 0 0 0 0
  eth0:1000 10 0 0 0 0 0 0 2000 20 0 0 0 0 0 0
eth0:1: 5 10 0 0 0 0 0 0 6 20 0 0 0 0 0 0
`;

test('where there are network cards, only they count', () => {
  assert.deepEqual(
    parseNetwork(network, (name) => name === 'eth0'),
    { received: 1_000, sent: 2_000 },
  );
});

test('where there are none, all but loopback counts', () => {
  assert.deepEqual(parseNetwork(network, none), { received: 1_075, sent: 2_077 });
  assert.deepEqual(parseNetwork('', none), { received: 0, sent: 0 });
});

const disks = `   7       0 loop0 1 0 8 0 0 0 8 0 0 0 0
 254       0 sda 782757 49074 100 1319835 1153561 1089621 200 1074217 0 305188 2563492 823764 548 155379816 106286 266278 63153
 254       1 sda1 5 0 90 0 0 0 190 0 0 0 0
 254      17 sda17 5 0 90 0 0 0 190 0 0 0 0
 259       0 nvme0n1 5 0 10 0 0 0 20 0 0 0 0
 179       0 mmcblk0 5 0 1 0 0 0 2 0 0 0 0
 179       1 mmcblk0p1 5 0 1 0 0 0 2 0 0 0 0
 259       1 nvme0n1p1 5 0 9 0 0 0 19 0 0 0 0
 252       0 dm-0 5 0 100 0 0 0 200 0 0 0 0
   9       0 md0 5 0 100 0 0 0 200 0 0 0 0
 253       0 zram0 5 0 100 0 0 0 200 0 0 0 0
`;

test('each byte of a disk counts once, whatever stands on it', () => {
  const expected = { read: 111 * 512, written: 222 * 512 };
  assert.deepEqual(parseDisks(disks, none), expected);
  assert.deepEqual(
    parseDisks(disks, (name) => ['sda', 'nvme0n1', 'mmcblk0'].includes(name)),
    expected,
  );
  assert.deepEqual(
    parseDisks(disks, (name) => name === 'nvme0n1'),
    { read: 10 * 512, written: 20 * 512 },
  );
});

test('a host without disks has read nothing', () => {
  assert.deepEqual(parseDisks('', none), { read: 0, written: 0 });
});

test('a share that waits is read, and what a kernel does not count is not known', () => {
  const text =
    'some avg10=12.52 avg60=4.82 avg300=2.49 total=13972513928\nfull avg10=99.00 avg60=0.00 avg300=0.00 total=0\n';
  assert.equal(parsePressure(text), 0.1252);
  assert.equal(parsePressure(''), null);
});

test('no content makes a number that is none', () => {
  const word = fc.constantFrom(
    'cpu',
    'cpu0',
    'btime',
    'MemTotal:',
    'SwapFree:',
    'eth0:',
    'sda',
    'sda1',
    'some',
    'avg10=',
    '-1',
    '1e400',
    '7',
    'x',
    'kB',
    ':',
  );
  const content = fc
    .array(fc.array(word, { maxLength: 20 }).map((words) => words.join(' ')))
    .map((lines) => lines.join('\n'));
  const numbersIn = (value: unknown): number[] =>
    typeof value === 'number' ? [value] : Object.values(value ?? {}).flatMap(numbersIn);
  fc.assert(
    fc.property(content, (text) => {
      const all = [
        parseStat(text),
        parseMemory(text),
        parseLoad(text),
        parseNetwork(text, none),
        parseDisks(text, none),
        { pressure: parsePressure(text) ?? 0 },
      ];
      assert.deepEqual(
        all.flatMap(numbersIn).filter((number) => !Number.isFinite(number)),
        [],
      );
    }),
  );
});

test('what this host says is understood', linuxOnly, () => {
  const read = (name: string) => readFileSync(`/proc/${name}`, 'utf8');
  assert.equal(parseStat(read('stat')).processors, cpus().length);
  assert.equal(parseMemory(read('meminfo')).memory.total, totalmem());
  assert.ok(parseLoad(read('loadavg')).every((load, index) => Math.abs(load - (loadavg()[index] ?? 0)) < 1));
});
