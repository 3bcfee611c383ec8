import assert from 'node:assert/strict';
import { test } from 'node:test';
import { latencyBounds, type TrafficCounts } from '../../src/contract/connections.ts';
import { countsSince, whatIsWorse } from '../../src/deploy/bake.ts';

const tolerance = { requests: 20, error_rate: 0.05, latency: 3, restarts: 0 };
const well = { restarts: 0, not_ready: 0, ejected: 0 };

/** Requests that were answered within `ms`, some of them with 5xx, some not at all. */
function counts(requests: number, { failed = 0, lost = 0, ms = 1 } = {}): TrafficCounts {
  const at = latencyBounds.findIndex((bound) => ms <= bound);
  const latency = [...latencyBounds, 0].map((_, index) =>
    index === (at === -1 ? latencyBounds.length : at) ? requests : 0,
  );
  return {
    open_requests: 0,
    open_websockets: 0,
    requests,
    websockets: 0,
    by_status: [0, requests - failed - lost, 0, 0, failed],
    failures: lost,
    retries: 0,
    bytes_in: requests,
    bytes_out: requests,
    latency,
  };
}

test('a release that does as well as the one before is not worse', () => {
  assert.equal(whatIsWorse({ ...well, now: counts(100), before: counts(100) }, tolerance), null);
});

test('errors count from so many requests on, and only those above what is usual and tolerated', () => {
  const worse = (now: TrafficCounts, before = counts(100)) =>
    whatIsWorse({ ...well, now, before }, tolerance);
  assert.equal(worse(counts(19, { failed: 19 })), null);
  assert.match(worse(counts(20, { failed: 2 })) ?? '', /^10\.0 % of its requests fail, and 0\.0 %/);
  assert.equal(worse(counts(100, { failed: 5 })), null);
  assert.match(worse(counts(100, { lost: 6 })) ?? '', /^6\.0 % of its requests fail/);
  assert.equal(worse(counts(100, { failed: 10 }), counts(100, { failed: 8 })), null);
});

test('a first release is measured by no errors, and no latency', () => {
  const before = counts(0);
  assert.equal(whatIsWorse({ ...well, now: counts(100, { ms: 5000 }), before }, tolerance), null);
  assert.notEqual(whatIsWorse({ ...well, now: counts(100, { failed: 6 }), before }, tolerance), null);
});

test('latency counts when it is so many times as long, and more than noise', () => {
  const worse = (now: number, before: number) =>
    whatIsWorse({ ...well, now: counts(100, { ms: now }), before: counts(100, { ms: before }) }, tolerance);
  assert.equal(worse(10, 1), null);
  assert.equal(worse(100, 50), null);
  assert.match(worse(200, 50) ?? '', /takes longer than 200 ms, and 50 ms/);
  assert.match(worse(60_000, 50) ?? '', /longer than 60000 ms/);
});

test('an instance that ends by itself is worse, as far as that is not tolerated', () => {
  const facts = { ...well, now: counts(0), before: counts(0) };
  assert.match(whatIsWorse({ ...facts, restarts: 1 }, tolerance) ?? '', /ended by themselves 1 times/);
  assert.equal(whatIsWorse({ ...facts, restarts: 2 }, { ...tolerance, restarts: 2 }), null);
});

test('an instance that is not ready any more, or that routers keep requests from, is worse', () => {
  const facts = { ...well, now: counts(0), before: counts(0) };
  assert.match(whatIsWorse({ ...facts, not_ready: 1 }, tolerance) ?? '', /not ready/);
  assert.match(whatIsWorse({ ...facts, ejected: 2 }, tolerance) ?? '', /^2 of its instances fail so often/);
});

test('what was before the comparison does not count, also after a router began at zero', () => {
  const since = countsSince(counts(50, { failed: 20 }), counts(100, { failed: 21 }));
  assert.equal(since.requests, 50);
  assert.equal(since.by_status[4], 1);
  assert.equal(countsSince(counts(50), counts(3)).requests, 0);
});
