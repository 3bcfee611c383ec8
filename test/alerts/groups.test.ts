import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AlertRecord } from '../../src/alerts/alert_record.ts';
import { Groups } from '../../src/alerts/groups.ts';
import type { Notification } from '../../src/contract/alerts.ts';

const begin = Date.UTC(2026, 0, 1);
const [wait, interval, repeat] = [300, 60_000, 600_000];

type Step =
  | { readonly kind: 'fires' | 'ends' | 'silenced' | 'heard'; readonly service: number }
  | { readonly kind: 'passes'; readonly time: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('fires', 'ends', 'silenced', 'heard'),
      service: fc.integer({ min: 0, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('passes'), time: fc.integer({ min: 1, max: 700_000 }) }),
  },
);

/** Groups with alerts that begin and end as a test says, whose time passes from one thing that is due to the next. */
class Model {
  now = begin;
  readonly alerts = new Map<string, AlertRecord>();
  readonly over = new Map<string, AlertRecord>();
  readonly silenced = new Set<number>();
  readonly posted: { readonly at: number; readonly notification: Notification }[] = [];
  readonly groups: Groups;
  #count = 0;

  constructor(group_by: 'rule' | 'service' | 'alert') {
    this.groups = new Groups({
      settings: () => ({ group_by, group_wait: '300ms', group_interval: '1m', repeat: '10m' }),
      outbox: {
        recipients: () => ['hook'],
        post: (_name, notification) => this.posted.push({ at: this.now, notification }),
      },
      agent: () => ({ hostname: 'h', version: '0', url: '' }),
      find: (id) => this.alerts.get(id) ?? null,
      ruleOf: () => ({ notify: null, repeat_ms: null }),
      suppressionOf: ({ service, state }) => ({
        silenced_by: state !== 'resolved' && this.silenced.has(Number(service)) ? 'x' : null,
        inhibited_by: null,
      }),
      update: (id, change) => {
        for (const known of [this.alerts, this.over]) {
          const record = known.get(id);
          if (record !== undefined) known.set(id, { ...record, ...change });
        }
      },
      onProblem: assert.fail,
    });
  }

  take(step: Step): void {
    if (step.kind === 'passes') this.pass(step.time);
    else if (step.kind === 'fires') this.#fire(step.service);
    else if (step.kind === 'ends') this.#end(step.service);
    else if (step.kind === 'silenced') this.silenced.add(step.service);
    else {
      this.silenced.delete(step.service);
      this.groups.reconsider(this.alerts.values(), this.now);
    }
  }

  pass(time: number): void {
    const end = this.now + time;
    for (let rounds = 0; ; rounds += 1) {
      assert.ok(rounds < 10_000, 'it wakes in vain');
      const due = this.groups.nextDue;
      if (due === null || due > end) break;
      this.now = Math.max(this.now, due);
      this.groups.flush(this.now);
    }
    this.now = end;
  }

  #find(service: number): AlertRecord | undefined {
    return [...this.alerts.values()].find((record) => record.service === String(service));
  }

  #fire(service: number): void {
    if (this.#find(service) !== undefined) return;
    this.#count += 1;
    const record: AlertRecord = {
      id: `a${this.#count}`,
      rule: 'down',
      severity: 'critical',
      service: String(service),
      instance: null,
      subject: null,
      summary: `${service} is down`,
      value: null,
      event: null,
      trace_id: null,
      state: 'firing',
      since: this.now,
      started_at: this.now,
      fired_at: this.now,
      resolved_at: null,
      firing_event: null,
      notified_at: null,
      told: [],
      circumstances: { why: [], last_lines: [] },
    };
    this.alerts.set(record.id, record);
    this.groups.add(record, this.now);
  }

  #end(service: number): void {
    const record = this.#find(service);
    if (record === undefined) return;
    const resolved: AlertRecord = { ...record, state: 'resolved', resolved_at: this.now };
    this.alerts.delete(record.id);
    this.over.set(record.id, resolved);
    this.groups.remove(resolved, this.now);
  }
}

const anyGrouping = fc.constantFrom('rule', 'service', 'alert');
const anySteps = fc.array(anyStep, { maxLength: 60, size: 'max' });

test('whatever happens, a group is told at most once within its interval', () => {
  fc.assert(
    fc.property(anyGrouping, anySteps, (group_by, steps) => {
      const model = new Model(group_by);
      for (const step of steps) model.take(step);
      model.pass(3 * repeat);
      const last = new Map<string, number>();
      for (const { at, notification } of model.posted) {
        const { key } = notification.group;
        const before = last.get(key);
        assert.ok(
          before === undefined || at - before >= interval,
          `${at - (before ?? 0)} ms after the last time`,
        );
        last.set(key, at);
      }
    }),
    { numRuns: 500 },
  );
});

test('whatever happens, what fires is told once nobody silences it, again and again, and told as over', () => {
  fc.assert(
    fc.property(anyGrouping, anySteps, (group_by, steps) => {
      const model = new Model(group_by);
      for (const step of steps) model.take(step);
      model.pass(wait + interval);
      const told = (id: string, state: string) =>
        model.posted.filter(({ notification }) =>
          notification.alerts.some((alert) => alert.id === id && alert.state === state),
        );
      for (const [id, { service }] of model.alerts) {
        if (!model.silenced.has(Number(service))) assert.notEqual(told(id, 'firing').length, 0);
        assert.equal(told(id, 'resolved').length, 0);
      }
      for (const id of model.over.keys())
        assert.equal(told(id, 'resolved').length, told(id, 'firing').length > 0 ? 1 : 0);
      const counts = [...model.alerts.keys()].map((id) => [id, told(id, 'firing').length] as const);
      model.pass(repeat + interval);
      for (const [id, before] of counts) {
        const isSilenced = model.silenced.has(Number(model.alerts.get(id)?.service));
        assert.equal(told(id, 'firing').length > before, !isSilenced);
      }
    }),
    { numRuns: 500 },
  );
});

test('what is over and was told leaves nothing behind', () => {
  fc.assert(
    fc.property(anyGrouping, anySteps, (group_by, steps) => {
      const model = new Model(group_by);
      for (const step of steps) model.take(step);
      for (const service of [0, 1, 2, 3]) model.take({ kind: 'ends', service });
      model.pass(2 * interval + wait);
      assert.equal(model.groups.nextDue, null);
    }),
    { numRuns: 200 },
  );
});
