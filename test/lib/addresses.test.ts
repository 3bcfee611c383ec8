import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalAddress, isNetwork, networkMatcher, networkOf } from '../../src/lib/addresses.ts';

test('an address has one form, whatever way it was written', () => {
  assert.equal(canonicalAddress('192.0.2.1'), '192.0.2.1');
  assert.equal(canonicalAddress('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(canonicalAddress('::FFFF:c000:201'), '192.0.2.1');
  assert.equal(canonicalAddress('2001:DB8:0:0::1'), '2001:db8::1');
  assert.equal(canonicalAddress('fe80::1%eth0'), 'fe80::1');
  for (const text of ['', 'localhost', '1.2.3', '1.2.3.4:80', '[::1]', '1.2.3.4 ', '01.2.3.4']) {
    assert.equal(canonicalAddress(text), null, text);
  }
});

test('a network is an address with a prefix that fits its family, or an address alone', () => {
  for (const text of ['10.0.0.0/8', '10.1.2.3', '0.0.0.0/0', '::/0', '2001:db8::/32', '::1']) {
    assert.equal(isNetwork(text), true, text);
  }
  for (const text of [
    '',
    '10.0.0.0/33',
    '::/129',
    '10.0.0/8',
    'localhost',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
  ]) {
    assert.equal(isNetwork(text), false, text);
    assert.throws(() => networkMatcher([text]), RangeError);
  }
});

test('the network of an address is its /24, or its /48', () => {
  for (const [address, network] of [
    ['192.0.2.77', '192.0.2.0'],
    ['10.0.0.0', '10.0.0.0'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::'],
    ['2001:db8:1::6', '2001:db8:1::'],
    ['2001:db8::6', '2001:db8::'],
    ['2001::6', '2001::'],
    ['::1', '::'],
    ['::', '::'],
    ['1:2:3::', '1:2:3::'],
  ] as const)
    assert.equal(networkOf(address), network, address);
});

test('a matcher knows the addresses of its networks, and no others', () => {
  const inside = networkMatcher(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32']);
  for (const address of ['10.255.0.1', '192.0.2.7', '2001:db8:1::1']) assert.equal(inside(address), true);
  for (const address of ['11.0.0.1', '192.0.2.8', '2001:db9::1', '', 'unknown']) {
    assert.equal(inside(address), false);
  }
  assert.equal(networkMatcher([])('10.0.0.1'), false);
});
