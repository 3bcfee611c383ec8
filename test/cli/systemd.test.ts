import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { unitFor } from '../../src/cli/systemd.ts';
import { Person } from './davit.ts';

const template = readFileSync(resolve(import.meta.dirname, '../../systemd/davit.service'), 'utf8');

test('the unit of the system is the one that is installed, with the path of this binary', async () => {
  using person = new Person();
  assert.equal((await person.davit(['systemd'])).out, template);
  const { out } = await person.davit(['systemd', '--binary', '/opt/davit']);
  assert.equal(out, template.replace('ExecStart=/usr/local/bin/davit ', 'ExecStart=/opt/davit '));
  assert.deepEqual(JSON.parse((await person.davit(['systemd', '--json'])).out), { unit: template });
});

test('a path that means something else in a unit is quoted', () => {
  assert.match(unitFor('/opt/my apps/da%vit', false), /^ExecStart="\/opt\/my apps\/da%%vit" agent$/m);
});

test('the unit of a user asks for nothing that only the system can give', () => {
  const unit = unitFor('/home/me/davit', true);
  assert.match(unit, /^ExecStart=\/home\/me\/davit agent$/m);
  assert.match(unit, /^WantedBy=default\.target$/m);
  assert.doesNotMatch(
    unit,
    /^(Wants|After|EnvironmentFile|CapabilityBoundingSet|LimitNOFILE|StateDirectory)=/m,
  );
  assert.match(unit, /^KillMode=process$/m);
});

test('where systemd can put the agent aside it is told to, so that services can be limited', () => {
  for (const user of [false, true]) {
    assert.match(
      unitFor('/usr/local/bin/davit', user, 254),
      /^Delegate=yes\nDelegateSubgroup=davit\.agent$/m,
    );
    assert.doesNotMatch(unitFor('/usr/local/bin/davit', user, 253), /DelegateSubgroup/);
  }
});
