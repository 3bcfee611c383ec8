import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { strategyNames } from '../../src/contract/balancing.ts';
import type { Lease, TargetInstance } from '../../src/router/target.ts';
import { randomFrom } from '../routing/requests.ts';
import { requestOf, tableInstance, tableService, World } from './live_world.ts';

/** What an instance is in a table: absent, taking requests or draining. */
type Presence = 'absent' | 'ready' | 'draining';

type Step =
  | { readonly do: 'update'; readonly presences: readonly Presence[] }
  | { readonly do: 'acquire'; readonly tried: number }
  | { readonly do: 'answer'; readonly lease: number; readonly status: number }
  | { readonly do: 'fail'; readonly lease: number; readonly how: 'unreachable' | 'broken' | 'timed_out' }
  | { readonly do: 'end'; readonly lease: number }
  | { readonly do: 'wait'; readonly time: number };

const size = 5;
const any = fc.nat(1_000);
const anyPresences = fc.array(fc.constantFrom<Presence>('absent', 'ready', 'ready', 'draining'), {
  minLength: size,
  maxLength: size,
});
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('update'), presences: anyPresences }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('acquire'), tried: fc.nat(2 ** size - 1) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('answer'),
      lease: any,
      status: fc.constantFrom(101, 200, 404, 500),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('fail'),
      lease: any,
      how: fc.constantFrom('unreachable', 'broken', 'timed_out'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end'), lease: any }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait'), time: fc.constantFrom(10, 1_000, 6_000, -50_000) }),
  },
) as fc.Arbitrary<Step>;

interface OpenLease {
  readonly lease: Lease;
  isAnswered: boolean;
}

/** A live table beside a model of it that knows only what must be so. */
class Walk {
  readonly world = new World(randomFrom(5));
  readonly open: OpenLease[] = [];
  readonly gone = new Map<TargetInstance, number>();
  #presences: readonly Presence[] = Array(size).fill('absent');
  readonly #own: object;

  constructor(own: object) {
    this.#own = own;
    this.update(Array(size).fill('ready'));
  }

  step(step: Step): void {
    if (step.do === 'update') this.update(step.presences);
    else if (step.do === 'acquire') this.acquire(step.tried);
    else if (step.do === 'wait') this.world.now += step.time;
    else this.settle(step);
    this.check();
  }

  update(presences: readonly Presence[]): void {
    this.#presences = presences;
    const instances = presences.flatMap((presence, index) => {
      if (presence === 'absent') return [];
      return [tableInstance(index + 1, { draining: presence === 'ready' ? null : { until: 1, spread: 1 } })];
    });
    this.world.update([tableService(instances, this.#own)]);
  }

  acquire(bits: number): void {
    const numbers = this.#presences.map((_, index) => index + 1);
    const tried = new Set(
      numbers.filter((number) => bits & (1 << (number - 1))).map((number) => `i-${number}`),
    );
    const may = numbers.filter(
      (number) => this.#presences[number - 1] === 'ready' && !tried.has(`i-${number}`),
    );
    const lease = this.world.service().acquire(requestOf({ client: `10.0.0.${bits}` }), tried);
    if (typeof lease === 'string') {
      assert.deepEqual([lease, may], ['none_ready', []]);
      return;
    }
    assert.ok(may.includes(lease.instance.number));
    this.open.push({ lease, isAnswered: false });
    if (this.gone.has(lease.instance)) return;
    this.gone.set(lease.instance, 0);
    lease.instance.onGone(() => this.gone.set(lease.instance, (this.gone.get(lease.instance) ?? 0) + 1));
  }

  settle(step: Extract<Step, { lease: number }>): void {
    const place = step.lease % Math.max(this.open.length, 1);
    const held = this.open[place];
    if (held === undefined) return;
    if (step.do === 'end') {
      held.lease.end(1, 2);
      this.open.splice(place, 1);
    } else if (!held.isAnswered) {
      held.isAnswered = true;
      if (step.do === 'answer') held.lease.answered(step.status, 1);
      else held.lease.failed(step.how);
    }
  }

  check(): void {
    const counts = this.world.table.counts();
    const open = (id: string) => this.open.filter(({ lease }) => lease.instance.id === id).length;
    const named = this.#presences.flatMap((presence, index) =>
      presence === 'absent' ? [] : [`i-${index + 1}`],
    );
    const expected = new Set([...named, ...this.open.map(({ lease }) => lease.instance.id)]);
    assert.deepEqual(counts.map(({ instance_id }) => instance_id).sort(), [...expected].sort());
    for (const { instance_id, open_requests, open_websockets } of counts) {
      assert.ok(open_requests >= 0 && open_websockets >= 0);
      assert.equal(open_requests + open_websockets, open(instance_id));
    }
    for (const times of this.gone.values()) assert.ok(times <= 1);
  }

  /** Ends everything. */
  finish(): void {
    for (const { lease } of this.open.splice(0)) lease.end(0, 0);
    this.update(Array(size).fill('absent'));
    assert.deepEqual(this.world.table.counts(), []);
    for (const times of this.gone.values()) assert.equal(times, 1);
  }
}

const settings: object[] = [
  ...strategyNames.map((strategy) => ({ strategy })),
  { affinity: { by: 'address' }, slow_start: '10s' },
  { outliers: { consecutive_failures: 1, max_percent: 100 } },
  { outliers: { consecutive_failures: 0 } },
];

for (const own of settings)
  test(`whatever happens, places are counted rightly and given where they may, with ${JSON.stringify(own)}`, () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 80 }), (steps) => {
        const walk = new Walk(own);
        for (const step of steps) walk.step(step);
        walk.finish();
      }),
      { numRuns: 150 },
    );
  });

test('what is open from before an instance was away counts also when it is away again', () => {
  const walk = new Walk({});
  const absent = Array<Presence>(size).fill('absent');
  walk.step({ do: 'acquire', tried: 0 });
  walk.step({ do: 'acquire', tried: 4 });
  walk.step({ do: 'update', presences: absent });
  walk.step({ do: 'update', presences: absent.with(1, 'ready') });
  walk.step({ do: 'update', presences: absent });
  walk.finish();
});

test('totals never fall', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 80 }), (steps) => {
      const walk = new Walk({});
      const totals = new Map<string, number>();
      for (const step of steps) {
        walk.step(step);
        for (const {
          instance_id,
          requests,
          websockets,
          failures,
          bytes_in,
        } of walk.world.table.changedCounts()) {
          const total = requests + websockets + failures + bytes_in;
          assert.ok(total >= (totals.get(instance_id) ?? 0));
          totals.set(instance_id, total);
        }
      }
    }),
    { numRuns: 150 },
  );
});
