import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingTools } from '../../src/lib/host_tools.ts';
import { limitations } from '../../src/processes/limitations.ts';

const root = { uid: 0, name: 'root' };

test('root on a host that has everything is limited by nothing', () => {
  assert.deepEqual(limitations(null, root, []), []);
});

test('an ordinary user is told what only root can do, and not what only root would need', () => {
  const missing = missingTools((name) => name === 'fallocate');
  assert.deepEqual(limitations('no control groups', { uid: 65_534, name: 'nobody' }, missing), [
    'the agent runs as nobody, not as root: services cannot run as other users',
    'no control groups',
    'mkfifo (coreutils) is missing: after a restart of the agent, the end of a service is noticed late and without its exit code',
  ]);
  assert.match(limitations(null, { uid: 4711, name: null }, [])[0] ?? '', /runs as 4711, not as root/);
});

test('root is told of every tool that is missing, with the package that has it', () => {
  const sentences = limitations(
    null,
    root,
    missingTools(() => false),
  );
  assert.deepEqual(
    sentences.map((sentence) => sentence.split(' is missing: ')[0]),
    ['setpriv (util-linux)', 'fallocate (util-linux)', 'mkfifo (coreutils)'],
  );
});
