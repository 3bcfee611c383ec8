import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { opendir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { EntryTree } from '../../src/artifacts/entry_tree.ts';
import { unpack } from '../../src/artifacts/unpack.ts';
import type { DavitError } from '../../src/lib/errors.ts';
import { type Entry, entryBytes, pax, tar } from './tar_bytes.ts';

const isRoot = process.geteuid?.() === 0;
let home: string;
let into = '';
let count = 0;

before(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'davit-unpack-')));
});
after(() => rmSync(home, { recursive: true, force: true }));
beforeEach(() => beginAnew());

function beginAnew(): void {
  if (into) rmSync(into, { recursive: true, force: true });
  into = join(home, `into-${++count}`);
  mkdirSync(into, { mode: 0o700 });
}

interface Options {
  readonly limit?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

async function unpacked(archive: Buffer, { limit = 1e9, owner }: Options = {}): Promise<void> {
  const file = join(home, `archive-${count}`);
  writeFileSync(file, archive);
  await unpack(file, into, { limit, owner: owner ?? null });
}

const at = (...names: string[]) => join(into, ...names);
const modeOf = (path: string) => lstatSync(path).mode & 0o7777;

test('what tar packs comes out as it went in: plain, gzip and zstd, also what has long names', async () => {
  const from = join(home, 'from');
  const deep = join(from, 'd'.repeat(200), 'e'.repeat(200));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'f'.repeat(250)), 'deep');
  writeFileSync(join(from, 'ünïcode'), 'x'.repeat(100_000));
  writeFileSync(join(from, 'empty'), '');
  writeFileSync(join(from, 'run.sh'), '#!/bin/sh\n');
  chmodSync(join(from, 'run.sh'), 0o755);
  symlinkSync('run.sh', join(from, 'link'));
  symlinkSync(`${'d'.repeat(200)}/${'e'.repeat(200)}`, join(from, 'long-link'));
  execFileSync('ln', [join(from, 'run.sh'), join(from, 'hard')]);
  for (const format of ['gnu', 'pax', 'ustar']) {
    const names = format === 'ustar' ? ['run.sh', 'link', 'hard', 'empty'] : ['.'];
    const plain = execFileSync('tar', [`--format=${format}`, '-cf', '-', '-C', from, ...names]);
    for (const archive of [plain, gzipSync(plain), zstdCompressSync(plain)]) {
      beginAnew();
      await unpacked(archive);
      assert.equal(modeOf(at('run.sh')), 0o755);
      assert.equal(readlinkSync(at('link')), 'run.sh');
      assert.equal(statSync(at('hard')).ino, statSync(at('run.sh')).ino);
      assert.equal(readFileSync(at('empty'), 'utf8'), '');
      if (format === 'ustar') continue;
      assert.equal(execFileSync('diff', ['-r', '--no-dereference', from, into]).toString(), '');
    }
  }
});

test('directories that are not named are made, and names may begin with ./', async () => {
  await unpacked(
    tar(
      { name: './', kind: '5' },
      { name: './a//b/./c', content: 'c' },
      { name: 'a/', kind: '5', mode: 0o500 },
      { name: 'old/', kind: '0' },
    ),
  );
  assert.equal(readFileSync(at('a', 'b', 'c'), 'utf8'), 'c');
  assert.equal(modeOf(at('a')), 0o755);
  assert.ok(lstatSync(at('old')).isDirectory());
});

test('nobody else may write, and no program gets the rights of its owner', async () => {
  await unpacked(
    tar(
      { name: 'all', mode: 0o7777 },
      { name: 'none', mode: 0 },
      { name: 'open/', kind: '5', mode: 0o7777 },
      { name: 'script', mode: 0o775 },
    ),
  );
  assert.equal(modeOf(at('all')), 0o755);
  assert.equal(modeOf(at('none')), 0o600);
  assert.equal(modeOf(at('open')), 0o755);
  assert.equal(modeOf(at('script')), 0o755);
  assert.equal(modeOf(into), 0o755);
});

test('everything belongs to the account that runs it', { skip: !isRoot && 'needs root' }, async () => {
  const entries: Entry[] = [
    { name: 'd/f' },
    { name: 'd/l', kind: '2', link: 'f' },
    { name: 'd/h', kind: '1', link: 'd/f' },
  ];
  await unpacked(tar(...entries), { owner: { uid: 12_345, gid: 54_321 } });
  for (const path of [into, at('d'), at('d', 'f'), at('d', 'l'), at('d', 'h')]) {
    const { uid, gid } = lstatSync(path);
    assert.deepEqual([uid, gid], [12_345, 54_321], path);
  }
});

const long = 'x'.repeat(256);
const refused: readonly [what: string, entries: readonly Entry[], entry: string | undefined, why: RegExp][] =
  [
    ['an absolute path', [{ name: '/etc/cron.d/evil' }], '/etc/cron.d/evil', /absolute path/],
    ['a path of Windows', [{ name: 'C:\\evil' }], 'C:\\evil', /absolute path/],
    ['a path that goes up', [{ name: '../evil' }], '../evil', /"\.\."/],
    ['one that goes up in the middle', [{ name: 'a/../../evil' }], 'a/../../evil', /"\.\."/],
    ['one that goes up by its prefix', [{ name: 'evil', prefix: '..' }], '../evil', /"\.\."/],
    ['one that goes up by pax', [pax({ path: '../evil' }), { name: 'good' }], '../evil', /"\.\."/],
    [
      'one that goes up by a long name',
      [{ name: 'x', kind: 'L', content: '../evil\0' }, { name: 'good' }],
      '../evil',
      /"\.\."/,
    ],
    ['a NUL in a name', [pax({ path: 'a\0b' }), { name: 'good' }], undefined, /NUL/],
    ['no name', [{ name: '' }], '', /no name/],
    ['a name that is too long', [pax({ path: long }), { name: 'x' }], undefined, /too long/],
    [
      'a path that is too deep',
      [pax({ path: 'd/'.repeat(101) }), { name: 'x', kind: '5' }],
      undefined,
      /too long/,
    ],
    ['a file that is the root', [{ name: './.', kind: '0' }], undefined, /root/],
    ['an absolute link', [{ name: 'l', kind: '2', link: '/etc/passwd' }], 'l', /absolute path/],
    ['a link that leads out', [{ name: 'd/l', kind: '2', link: '../../etc' }], 'd/l', /leads out/],
    ['a link to nothing', [{ name: 'l', kind: '2', link: '' }], 'l', /nothing/],
    [
      'a link that leads out by way of another',
      [
        { name: 'a/b/up', kind: '2', link: '../..' },
        { name: 'l', kind: '2', link: 'a/b/up/../etc' },
      ],
      'l',
      /leads out/,
    ],
    [
      'a link that is made to lead out by a later one',
      [
        { name: 'l', kind: '2', link: 'd/../x' },
        { name: 'd', kind: '2', link: '.' },
        { name: 'x', kind: '2', link: 'd/..' },
      ],
      'l',
      /leads out/,
    ],
    [
      'links in a circle',
      [
        { name: 'a', kind: '2', link: 'b' },
        { name: 'b', kind: '2', link: 'a' },
      ],
      'a',
      /circle/,
    ],
    [
      'a file through a link that stands before it',
      [
        { name: 'd', kind: '2', link: 'elsewhere' },
        { name: 'd/evil', content: 'x' },
      ],
      'd/evil',
      /below something/,
    ],
    [
      'a file in place of a link',
      [
        { name: 'f', kind: '2', link: 'target' },
        { name: 'f', content: 'x' },
      ],
      'f',
      /twice/,
    ],
    ['a file below a file', [{ name: 'f' }, { name: 'f/g' }], 'f/g', /below something/],
    ['a file twice', [{ name: 'f' }, { name: './f' }], './f', /twice/],
    ['a directory in place of a file', [{ name: 'f' }, { name: 'f', kind: '5' }], 'f', /twice/],
    ['a hard link out', [{ name: 'h', kind: '1', link: '/etc/passwd' }], '/etc/passwd', /absolute/],
    ['a hard link up', [{ name: 'h', kind: '1', link: '../x' }], '../x', /"\.\."/],
    ['a hard link to nothing', [{ name: 'h', kind: '1', link: 'x' }], 'h', /no file before it/],
    [
      'a hard link to a link',
      [
        { name: 'l', kind: '2', link: 'f' },
        { name: 'h', kind: '1', link: 'l' },
      ],
      'h',
      /no file before it/,
    ],
    ['a character device', [{ name: 'null', kind: '3' }], 'null', /device/],
    ['a block device', [{ name: 'sda', kind: '4' }], 'sda', /device/],
    ['a pipe', [{ name: 'p', kind: '6' }], 'p', /pipe/],
    ['an old sparse file', [{ name: 's', kind: 'S' }], 's', /sparse/],
    ['a new sparse file', [pax({ 'GNU.sparse.major': '1', path: 's' }), { name: 'x' }], 's', /sparse/],
    ['a kind that nobody knows', [{ name: 'm', kind: 'M' }], 'm', /not known/],
    ['a directory with content', [{ name: 'd/', kind: '5', content: 'x' }], 'd/', /content/],
    ['a link with content', [{ name: 'l', kind: '2', link: 'x', content: 'x' }], 'l', /content/],
    ['one name for all', [pax({ path: 'x' }, 'g'), { name: 'y' }], undefined, /one name/],
    ['a size that is none', [pax({ size: '-1' }), { name: 'y' }], undefined, /no number/],
    ['a size below nothing', [{ name: 'y', size: '\xff'.repeat(12) }], undefined, /damaged/],
    ['a size beyond all numbers', [{ name: 'y', size: `\x80${'\x7f'.repeat(11)}` }], undefined, /damaged/],
    ['a size that is no number', [{ name: 'y', size: '99999999999' }], undefined, /damaged/],
    ['more than there is', [{ name: 'y', size: 10_000 }], undefined, /cut off/],
    [
      'a pax header that is damaged',
      [{ name: 'p', kind: 'x', content: '99 path=x\n' }],
      undefined,
      /damaged/,
    ],
    ['a pax header without an end', [{ name: 'p', kind: 'x', content: '9 path=xy' }], undefined, /damaged/],
    [
      'an endless description',
      [{ name: 'p', kind: 'x', content: 'x'.repeat(65_537) }, { name: 'y' }],
      'p',
      /65536/,
    ],
  ];

for (const [what, entries, entry, why] of refused) {
  test(`${what} is refused`, async () => {
    await assert.rejects(unpacked(tar(...entries)), (error: DavitError) => {
      assert.equal(error.code, 'artifact_refused', String(error.stack));
      assert.match(error.message, why);
      if (entry !== undefined) assert.equal(error.fields['entry'], entry);
      return true;
    });
    assert.equal(existsSync(join(home, 'evil')), false);
    assert.equal(existsSync(join(home, 'elsewhere')), false);
  });
}

test('links stay that lead elsewhere within the archive, also to nothing', async () => {
  await unpacked(
    tar(
      { name: 'bin/app', content: 'app' },
      { name: 'current', kind: '2', link: 'bin' },
      { name: 'up/here', kind: '2', link: '../current/app' },
      { name: 'gone', kind: '2', link: 'not/there' },
      { name: 'self', kind: '2', link: '.' },
    ),
  );
  assert.equal(readFileSync(at('up', 'here'), 'utf8'), 'app');
  assert.equal(realpathSync(at('up', 'here')), at('bin', 'app'));
  assert.equal(readlinkSync(at('gone')), 'not/there');
});

test('no links at all, however many, lead out of the directory', async () => {
  const part = fc.constantFrom('a', 'b', 'c', '..', '.', 'd');
  const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
  const link = fc.record({ name: path, kind: fc.constant('2'), link: path });
  const file = fc.record({ name: path, content: path });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(link, file), { maxLength: 8 }), async (entries) => {
      beginAnew();
      await unpacked(tar(...entries)).catch((error: DavitError) => {
        assert.equal(error.code, 'artifact_refused', String(error.stack));
      });
      // Unlike readdir, this follows no links, which may lead around for ever.
      for await (const { parentPath, name } of await opendir(into, { recursive: true })) {
        const path = join(parentPath, name);
        const real = whereTo(path);
        assert.ok(real === null || real === into || real.startsWith(`${into}/`), `${path} → ${real}`);
      }
    }),
    { numRuns: 300 },
  );
});

function whereTo(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

test('an archive that is cut off or changed anywhere is refused', async () => {
  const whole = tar({ name: 'a', content: 'x'.repeat(700) }, { name: 'b', content: 'y' });
  const packed = gzipSync(whole);
  const changed = Buffer.from(packed);
  changed.writeUInt8(changed.readUInt8(30) ^ 0xff, 30);
  const damaged = [
    ...[0, 100, 511, 512, 900, 1024, 1536, 2000, 2560].map((length) => whole.subarray(0, length)),
    packed.subarray(0, -4),
    zstdCompressSync(whole).subarray(0, -4),
    changed,
  ];
  for (const bytes of damaged) {
    beginAnew();
    await assert.rejects(unpacked(bytes), { code: 'artifact_refused', message: /cut off|damaged/ });
  }
});

test('a header that was changed is refused', async () => {
  const archive = tar({ name: 'a', content: 'x' });
  archive.write('b', 0);
  await assert.rejects(unpacked(archive), { code: 'artifact_refused', message: /damaged/ });
});

test('what comes to too much is stopped, by size, by ratio and by number', async () => {
  const zeros = Buffer.alloc(200_000_000);
  const bomb = gzipSync(Buffer.concat([entryBytes({ name: 'zeros', content: zeros }), Buffer.alloc(1024)]), {
    level: 1,
  });
  await assert.rejects(unpacked(bomb), { code: 'artifact_refused', message: /200 times/ });
  beginAnew();
  await assert.rejects(unpacked(bomb, { limit: 1_000_000 }), {
    code: 'artifact_refused',
    message: /artifact_unpacked_limit/,
  });
  assert.ok(lstatSync(at('zeros')).size <= 1_000_000);
});

test('more entries than there may be are refused, also where few names ask for many directories', () => {
  const tree = new EntryTree();
  const path = 'd/'.repeat(98);
  assert.throws(
    () => {
      for (let index = 0; ; index++) tree.place(`${index}/${path}x`);
    },
    { code: 'artifact_refused', message: /200000 entries/ },
  );
});

test('an endless file that says it is small is no file', async () => {
  await assert.rejects(unpacked(tar({ name: 'a', content: 'x'.repeat(2_000), size: 3 })), {
    code: 'artifact_refused',
  });
});

test('whatever bytes come, they are refused, or unpacked within', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
      await unpacked(Buffer.from(bytes)).catch((error: DavitError) => {
        assert.equal(error.code, 'artifact_refused', String(error.stack));
      });
    }),
    { numRuns: 200 },
  );
});
