import assert from 'node:assert/strict';
import type { lookup } from 'node:dns';
import { test } from 'node:test';
import { isPublicAddress, TargetGuard } from '../../src/alerts/notifiers/target_guard.ts';
import { DavitError } from '../../src/lib/errors.ts';

type Addresses = readonly { readonly address: string; readonly family: number }[];

const guard = (allowed: readonly string[] = [], ownPorts: readonly number[] = []) =>
  new TargetGuard({ allowed, ownPorts, ownAddresses: () => ['198.41.0.4', '10.9.9.9'] });

function isRefused(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    assert.ok(error instanceof DavitError && error.code === 'target_not_allowed', String(error));
    return true;
  }
}

const notPublic = [
  ...['0.0.0.0', '0.1.2.3', '127.0.0.1', '127.255.1.1', '10.0.0.1', '172.16.0.1', '172.31.255.255'],
  ...['192.168.1.1', '169.254.169.254', '100.64.0.1', '100.100.100.200', '192.0.0.192', '192.0.2.1'],
  ...['198.18.0.1', '203.0.113.9', '224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255', '168.63.129.16'],
  ...['::', '::1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::7f00:1', 'fe80::1', 'fc00::1', 'fd00:ec2::254'],
  ...[
    'ff02::1',
    'fec0::1',
    '64:ff9b::7f00:1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::1',
  ],
  ...['2002:7f00:1::', '2002:a9fe:a9fe::1', '2001::1', '2001:db8::1', '3fff::1', '100::1', '4000::1'],
];
const open = [
  '1.1.1.1',
  '8.8.8.8',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700::1111',
  '64:ff9b::101:101',
  '::ffff:8.8.8.8',
];

test('addresses that not everybody can reach are refused, in whatever form they stand', () => {
  for (const address of notPublic)
    assert.ok(
      isRefused(() => guard().checkAddress(address, 443, address)),
      address,
    );
});

test('public addresses are allowed, also behind NAT64', () => {
  for (const address of open)
    assert.ok(!isRefused(() => guard().checkAddress(address, 443, address)), address);
  assert.ok(isPublicAddress('8.8.8.8') && !isPublicAddress('nonsense'));
});

test('numbers of an address that are written in another way are what the address is', () => {
  for (const host of [
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '[::ffff:127.0.0.1]',
    '0',
    '[::]',
    '169.254.43518',
  ])
    assert.ok(
      isRefused(() => guard().checkHost(new URL(`http://${host}/`).hostname, 80)),
      host,
    );
});

test('the name of this host is refused before it is resolved', () => {
  for (const host of ['localhost', 'LOCALHOST.', 'a.localhost'])
    assert.ok(
      isRefused(() => guard().checkHost(host, 80)),
      host,
    );
  assert.ok(!isRefused(() => guard().checkHost('example.org', 80)));
});

test('an address of this host is refused although it is public', () => {
  assert.ok(isRefused(() => guard().checkAddress('198.41.0.4', 80, 'x')));
  assert.ok(!isRefused(() => guard(['198.41.0.4']).checkAddress('198.41.0.4', 80, 'x')));
});

test('networks and names that are allowed may be reached', () => {
  const allowed = guard(['10.0.0.0/8', 'hooks.internal', '*.example.org', 'fd12::/16']);
  const reaches = (address: string, host = address) =>
    !isRefused(() => allowed.checkAddress(address, 443, host));
  assert.ok(reaches('10.1.2.3') && reaches('fd12::1') && reaches('::ffff:10.1.2.3'));
  assert.ok(reaches('192.168.1.1', 'hooks.internal') && reaches('192.168.1.1', 'HOOKS.internal.'));
  assert.ok(reaches('192.168.1.1', 'a.example.org') && reaches('192.168.1.1', 'a.b.example.org'));
  assert.ok(!reaches('192.168.1.1', 'example.org') && !reaches('192.168.1.1', 'evilexample.org'));
  assert.ok(!reaches('192.168.1.1', 'hooks.internal.evil.org') && !reaches('192.168.1.1'));
});

test('a name that is allowed never leads to what clouds tell their machines; a network that names it does', () => {
  for (const address of [
    '169.254.169.254',
    'fd00:ec2::254',
    '100.100.100.200',
    '168.63.129.16',
    'fe80::1',
    '64:ff9b::a9fe:a9fe',
  ])
    assert.ok(
      isRefused(() => guard(['*.internal']).checkAddress(address, 80, 'metadata.google.internal')),
      address,
    );
  assert.ok(!isRefused(() => guard(['169.254.169.254']).checkAddress('169.254.169.254', 80, 'x')));
});

test('where the agent listens nothing leads, whatever is allowed', () => {
  const allowed = guard(['127.0.0.0/8', '10.0.0.0/8', '::1'], [8888]);
  for (const address of ['127.0.0.1', '127.9.9.9', '10.9.9.9', '::1', '::ffff:127.0.0.1'])
    assert.ok(
      isRefused(() => allowed.checkAddress(address, 8888, address)),
      address,
    );
  assert.ok(!isRefused(() => allowed.checkAddress('127.0.0.1', 8889, '127.0.0.1')));
  assert.ok(!isRefused(() => allowed.checkAddress('10.9.9.8', 8888, '10.9.9.8')));
});

function resolvingTo(addresses: Addresses): typeof lookup {
  const resolve = (_host: string, _options: object, callback: (error: null, found: Addresses) => void) =>
    callback(null, addresses);
  return resolve as never;
}

test('what a name leads to is checked when it is resolved, every address of it', async () => {
  const look = (addresses: Addresses, all: boolean) =>
    new Promise<unknown>((resolve) => {
      const checked = new TargetGuard({ allowed: [], resolve: resolvingTo(addresses) });
      checked.lookup(443)('example.org', { all }, (error, address) => resolve(error ?? address));
    });
  const [good, bad] = [
    { address: '8.8.8.8', family: 4 },
    { address: '169.254.169.254', family: 4 },
  ] as const;
  assert.deepEqual(await look([good], true), [good]);
  assert.equal(await look([good], false), '8.8.8.8');
  for (const addresses of [[bad], [good, bad]])
    for (const all of [true, false]) {
      const refusal = await look(addresses, all);
      assert.ok(refusal instanceof DavitError && refusal.code === 'target_not_allowed');
      assert.ok(!refusal.message.includes('169.254'), 'it tells where a name leads');
    }
});
