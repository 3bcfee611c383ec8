import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AccountFiles } from '../../src/configs/account_files.ts';
import { type FileAccess, largestFile } from '../../src/configs/file_access.ts';
import { OwnFiles } from '../../src/configs/own_files.ts';
import { resolveAccount } from '../../src/processes/account.ts';

const isRoot = process.geteuid?.() === 0;
const skip = isRoot ? false : 'only root can become another account';

/** Where each kind may write, and whose it is. */
interface Kind {
  readonly access: () => FileAccess;
  readonly uid: () => number;
  readonly skip: false | string;
}

const kinds: Readonly<Record<string, Kind>> = {
  'the own account': { access: () => new OwnFiles(), uid: () => process.geteuid?.() ?? 0, skip: false },
  'another account': {
    access: () => new AccountFiles(resolveAccount('nobody', null)),
    uid: () => resolveAccount('nobody', null).uid,
    skip,
  },
};

const temporary = '.davit-test';
const file = (text: string, mode = 0o640) => ({ content: Buffer.from(text), mode, temporary });

for (const [name, kind] of Object.entries(kinds)) {
  const { skip } = kind;
  const place = (t: { after(end: () => void): void }) => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'davit-files-')));
    t.after(() => rmSync(folder, { recursive: true }));
    if (isRoot) chownSync(folder, kind.uid(), statSync(folder).gid);
    return { folder, path: join(folder, 'app.conf'), access: kind.access() };
  };

  test(`${name}: a file is made, replaced as a whole and removed, and nothing else is left`, {
    skip,
  }, async (t) => {
    const { folder, path, access } = place(t);
    assert.equal(await access.read(path), null);
    await access.write(path, file('first\n'));
    const first = await access.read(path);
    assert.equal(first?.content.toString(), 'first\n');
    assert.equal(first?.mode, 0o640);
    assert.ok(Math.abs((first?.modified_at ?? 0) - statSync(path).mtimeMs) < 1000);
    assert.equal(statSync(path).uid, kind.uid());
    const { ino } = statSync(path);
    await access.write(path, file('second', 0o600));
    assert.equal(readFileSync(path, 'utf8'), 'second');
    assert.equal(statSync(path).mode & 0o7777, 0o600);
    assert.notEqual(statSync(path).ino, ino);
    assert.deepEqual(readdirSync(folder), ['app.conf']);
    await access.remove(path);
    await access.remove(path);
    assert.deepEqual(readdirSync(folder), []);
  });

  test(`${name}: every byte of the largest file arrives, and a larger one is refused`, {
    skip,
  }, async (t) => {
    const { path, access } = place(t);
    const content = Buffer.from(Uint8Array.from({ length: largestFile }, (_, index) => index * 7));
    await access.write(path, { content, mode: 0o600, temporary });
    assert.ok((await access.read(path))?.content.equals(content));
    writeFileSync(path, 'x', { flag: 'a' });
    await assert.rejects(access.read(path), {
      code: 'config_unusable',
      message: /larger than 1048576 bytes/,
    });
    await access.write(path, file(''));
    assert.equal((await access.read(path))?.content.length, 0);
  });

  test(`${name}: a symbolic link is neither read nor replaced nor followed`, { skip }, async (t) => {
    const { folder, path, access } = place(t);
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'untouched');
    symlinkSync(victim, path);
    const refused = { code: 'config_unusable', message: /symbolic link/ };
    await assert.rejects(access.read(path), refused);
    await assert.rejects(access.write(path, file('x')), refused);
    symlinkSync(victim, join(folder, temporary));
    await access.write(join(folder, 'other'), file('other'));
    assert.equal(readFileSync(victim, 'utf8'), 'untouched');
    assert.deepEqual(readdirSync(folder).sort(), ['app.conf', 'other', 'victim']);
  });

  test(`${name}: what is no regular file, and what has no directory, is refused`, { skip }, async (t) => {
    const { folder, path, access } = place(t);
    mkdirSync(path);
    const refused = { code: 'config_unusable', message: /no regular file/ };
    await assert.rejects(access.read(path), refused);
    await assert.rejects(access.write(path, file('x')), refused);
    for (const wrong of [join(folder, 'none', 'app.conf'), '/', `${folder}/x/..`, `${folder}/`])
      await assert.rejects(access.write(wrong, file('x')), { code: 'config_unusable' });
    assert.deepEqual(readdirSync(folder), ['app.conf']);
  });

  test(`${name}: names that look like options or hold spaces and quotes are only names`, {
    skip,
  }, async (t) => {
    const { folder, access } = place(t);
    for (const odd of ['-rf', 'a b', "it's", '$(touch x)', '*', 'é\n']) {
      await access.write(join(folder, odd), file(odd));
      assert.equal((await access.read(join(folder, odd)))?.content.toString(), odd);
    }
    assert.equal(readdirSync(folder).length, 6);
  });
}

test('the owner and the group of a file that is replaced are kept', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'app.conf');
  writeFileSync(path, 'before');
  chownSync(path, 65_534, 12_345);
  await new OwnFiles().write(path, file('after', 0o600));
  const { uid, gid, mode } = statSync(path);
  assert.deepEqual([uid, gid, mode & 0o7777], [65_534, 12_345, 0o600]);
});

test('another account reaches nothing that it could not reach by itself', { skip }, async (t) => {
  const access = new AccountFiles(resolveAccount('nobody', null));
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'davit-files-')));
  t.after(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, 0o755);
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'of root', { mode: 0o600 });
  await assert.rejects(access.read(secret), { code: 'config_unusable', message: /nobody may not read it/ });
  await assert.rejects(access.write(secret, file('x')), { message: /nobody cannot write in/ });
  await assert.rejects(access.remove(secret), { code: 'config_unusable' });
  assert.equal(readFileSync(secret, 'utf8'), 'of root');

  const passwd = readFileSync('/etc/passwd');
  await assert.rejects(access.read('/etc/shadow'), { code: 'config_unusable' });
  await assert.rejects(access.write('/etc/passwd', file('x')), { code: 'config_unusable' });
  assert.ok(readFileSync('/etc/passwd').equals(passwd));

  const hidden = join(folder, 'hidden');
  mkdirSync(hidden, { mode: 0o700 });
  writeFileSync(join(hidden, 'there'), 'x');
  for (const name of ['there', 'not_there'])
    await assert.rejects(access.read(join(hidden, name)), { message: /nobody may not enter it/ });
  assert.ok(existsSync(join(hidden, 'there')));
});

test('a directory that becomes a link to another meanwhile leads the account nowhere new', {
  skip,
}, async (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'davit-files-')));
  t.after(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, 0o755);
  symlinkSync('/etc', join(folder, 'conf'));
  const access = new AccountFiles(resolveAccount('nobody', null));
  await assert.rejects(access.write(join(folder, 'conf', 'hosts'), file('x')), { code: 'config_unusable' });
  await assert.rejects(access.write(join(folder, 'conf', 'davit-new'), file('x')), {
    code: 'config_unusable',
  });
  assert.ok(!existsSync('/etc/davit-new'));
});
