import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { unitFor } from '../../src/cli/systemd.ts';

const root = resolve(import.meta.dirname, '../..');
const unit = readFileSync(join(root, 'systemd/davit.service'), 'utf8');
const userUnit = unitFor('/usr/local/bin/davit', true);
const guide = readFileSync(join(root, 'docs/systemd.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'unit-'));
after(() => rmSync(folder, { recursive: true }));

const version = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' });
const skip = version.error !== undefined && 'there is no systemd-analyze here';
const isDebian12 = version.stdout?.startsWith('systemd 252 ');

/** The settings of a unit as `Key=value` lines. */
function settings(text: string): string[] {
  return text.split('\n').filter((line) => /^[A-Z]\w*=/.test(line));
}

/** Writes a unit whose program exists, and gives its file. */
function installed(name: string, text: string): string {
  const program = join(folder, 'davit');
  writeFileSync(program, '');
  chmodSync(program, 0o755);
  const file = join(folder, name, 'davit.service');
  mkdirSync(join(folder, name));
  writeFileSync(file, text.replace(/^ExecStart=\S+/m, `ExecStart=${program}`));
  return file;
}

interface Check {
  readonly name: string;
  readonly exposure: string | null;
}

/** What systemd-analyze finds open in the unit, as names of settings. */
function openChecks(): string[] {
  const args = ['security', '--offline=true', '--no-pager', '--json=short', installed('checks', unit)];
  const checks: Check[] = JSON.parse(execFileSync('systemd-analyze', args, { encoding: 'utf8' }));
  const open = checks.filter(({ exposure }) => Number(exposure) > 0);
  return [...new Set(open.flatMap(({ name }) => name.match(/[A-Z]\w+=/g) ?? []))];
}

test('services outlive the agent, whatever ends it', () => {
  const expected = [
    'KillMode=process',
    'Delegate=yes',
    'OOMPolicy=continue',
    'Restart=always',
    'SendSIGKILL=yes',
  ];
  for (const text of [unit, userUnit])
    assert.deepEqual(
      expected.filter((line) => !settings(text).includes(line)),
      [],
    );
});

test('the agent tells systemd how it fares, and nobody else can', () => {
  const expected = ['Type=notify', 'NotifyAccess=main', 'WatchdogSec=30s', 'StateDirectoryMode=0700'];
  assert.deepEqual(
    expected.filter((line) => !settings(unit).includes(line)),
    [],
  );
});

test('the template names the program where davit puts the real path', () => {
  assert.match(unit, /^ExecStart=\/usr\/local\/bin\/davit agent$/m);
});

test('systemd has nothing to say against the units', { skip }, () => {
  for (const [scope, text] of [
    ['--system', unit],
    ['--user', userUnit],
  ] as const) {
    const file = installed(scope, text);
    const { status, stderr } = spawnSync('systemd-analyze', [scope, 'verify', file], {
      env: { ...process.env, XDG_RUNTIME_DIR: folder },
      encoding: 'utf8',
    });
    const complaints = stderr.split('\n').filter((line) => line.includes('davit'));
    assert.deepEqual({ status, complaints }, { status: 0, complaints: [] });
  }
});

test('the exposure that systemd measures is the one that the guide states', {
  skip: skip || (!isDebian12 && 'the guide states what systemd 252 measures'),
}, () => {
  const report = execFileSync(
    'systemd-analyze',
    ['security', '--offline=true', '--no-pager', installed('score', unit)],
    {
      encoding: 'utf8',
    },
  );
  const measured = /exposure level for davit\.service: ([\d.]+)/.exec(report)?.[1];
  const stated = /exposure of \*\*([\d.]+)\*\*/.exec(guide)?.[1];
  assert.equal(measured, stated);
});

test('each protection that is off has its reason in the unit and in the guide', { skip }, () => {
  const reasons = unit
    .split('\n')
    .filter((line) => line.startsWith('#') || /^(UMask|Delegate)=/.test(line))
    .join('\n');
  const table = guide
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .join('\n');
  const open = openChecks();
  assert.deepEqual(
    {
      unit: open.filter((name) => !reasons.includes(name)),
      guide: open.filter((name) => !table.includes(name)),
    },
    { unit: [], guide: [] },
  );
});
