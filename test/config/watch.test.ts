import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ConfigWatch, watchConfig } from '../../src/config/watch.ts';

const interval = 100;

/** A folder with a configuration in it, and a watch whose looks are taken by hand. */
class Place {
  readonly folder = mkdtempSync(join(tmpdir(), 'davit-watch-'));
  readonly file: string;
  readonly watch: ConfigWatch;
  readonly #t: TestContext;
  changes = 0;

  constructor(t: TestContext, ...path: string[]) {
    this.#t = t;
    this.file = join(this.folder, ...path);
    if (path.length === 1) writeFileSync(this.file, 'a: 1\n');
    t.mock.timers.enable({ apis: ['setInterval'] });
    this.watch = this.#open();
    t.after(() => {
      this.watch[Symbol.dispose]();
      rmSync(this.folder, { recursive: true });
    });
  }

  #open(): ConfigWatch {
    return watchConfig({ file: this.file, interval, onChange: () => this.changes++ });
  }

  look(times: number): number {
    for (let n = 0; n < times; n++) this.#t.mock.timers.tick(interval);
    return this.changes;
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }
}

test('a file that is written in place is told once, when it rests', (t) => {
  const place = new Place(t, 'davit.yaml');
  assert.equal(place.look(5), 0);
  writeFileSync(place.file, 'a: 2\n');
  assert.equal(place.look(1), 0);
  writeFileSync(place.file, 'a: 2\nb: 3\n');
  assert.equal(place.look(1), 0);
  assert.equal(place.look(1), 1);
  assert.equal(place.look(10), 1);
});

test('a burst of changes is one', (t) => {
  const place = new Place(t, 'davit.yaml');
  for (let n = 0; n < 20; n++) {
    writeFileSync(place.file, `a: ${n}${'0'.repeat(n)}\n`);
    if (n % 3 === 0) assert.equal(place.look(1), 0);
  }
  assert.equal(place.look(10), 1);
});

test('the same content is no change, whatever was done to the file', (t) => {
  const place = new Place(t, 'davit.yaml');
  utimesSync(place.file, 1, 1);
  assert.equal(place.look(5), 0);
  writeFileSync(place.path('new'), 'a: 1\n');
  renameSync(place.path('new'), place.file);
  assert.equal(place.look(5), 0);
});

test('a file that an editor renames over it, or removes first, is one change', (t) => {
  const place = new Place(t, 'davit.yaml');
  writeFileSync(place.path('davit.yaml.swp'), 'a: 2\n');
  renameSync(place.path('davit.yaml.swp'), place.file);
  assert.equal(place.look(5), 1);
  unlinkSync(place.file);
  assert.equal(place.look(3), 1);
  writeFileSync(place.file, 'a: 3\n');
  assert.equal(place.look(5), 2);
});

test('a file that is gone for long is told, and so is its return', (t) => {
  const place = new Place(t, 'davit.yaml');
  unlinkSync(place.file);
  assert.equal(place.look(5), 0);
  assert.equal(place.look(2), 1);
  assert.equal(place.look(20), 1);
  writeFileSync(place.file, 'a: 1\n');
  assert.equal(place.look(5), 2);
});

test('a link above the file that leads elsewhere is a change, as is the return of its folder', (t) => {
  const place = new Place(t, 'davit.yaml');
  unlinkSync(place.file);
  for (const [name, text] of [
    ['one', 'a: 1\n'],
    ['two', 'a: 2\n'],
  ] as const) {
    mkdirSync(place.path(name));
    writeFileSync(place.path(name, 'davit.yaml'), text);
  }
  symlinkSync('one', place.path('..data'));
  symlinkSync(join('..data', 'davit.yaml'), place.file);
  assert.equal(place.look(5), 0);
  symlinkSync('two', place.path('..next'));
  renameSync(place.path('..next'), place.path('..data'));
  assert.equal(place.look(5), 1);
  rmSync(place.path('two'), { recursive: true });
  assert.equal(place.look(4), 1);
  mkdirSync(place.path('two'));
  writeFileSync(place.path('two', 'davit.yaml'), 'a: 3\n');
  assert.equal(place.look(5), 2);
});

test('a folder that is not there is waited for', (t) => {
  const place = new Place(t, 'etc', 'davit.yaml');
  assert.equal(place.look(10), 0);
  mkdirSync(place.path('etc'));
  writeFileSync(place.file, 'a: 1\n');
  assert.equal(place.look(5), 1);
});

test('what was taken over otherwise is no change any more', (t) => {
  const place = new Place(t, 'davit.yaml');
  writeFileSync(place.file, 'a: 2\n');
  place.watch.taken();
  assert.equal(place.look(5), 0);
  writeFileSync(place.file, 'a: 3\n');
  assert.equal(place.look(5), 1);
});

test('a pipe is never read', { skip: process.platform === 'win32' }, (t) => {
  const place = new Place(t, 'davit.yaml');
  unlinkSync(place.file);
  spawnSync('mkfifo', [place.file]);
  assert.equal(place.look(10), 0);
});

test('a watch that was closed tells nothing', (t) => {
  const place = new Place(t, 'davit.yaml');
  place.watch[Symbol.dispose]();
  writeFileSync(place.file, 'a: 2\n');
  assert.equal(place.look(10), 0);
});
