import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seriesLists } from '../../src/console/composables/series_lists.ts';
import { shownState } from '../../src/console/composables/service_state.ts';
import { causeOf, tellingLine } from '../../src/console/pages/overview/cause_text.ts';
import { problemsOf } from '../../src/console/pages/overview/problems.ts';
import { deploymentsOf, newestOf } from '../../src/console/pages/overview/recent_deployments.ts';
import { errorRatioOf, sumOf } from '../../src/console/pages/overview/sums.ts';
import { beatState } from '../../src/console/pages/services/beat_state.ts';
import { countStates, filterServices } from '../../src/console/pages/services/service_rows.ts';
import type { Alert } from '../../src/contract/alerts.ts';
import type { Event, EventType } from '../../src/contract/events.ts';
import type { Service, ServiceState } from '../../src/contract/services.ts';
import type { SeriesPoints } from '../../src/contract/stats.ts';

interface Given {
  readonly ready?: number;
  readonly type?: 'service' | 'task';
  readonly tags?: string[];
  readonly return_code?: number;
  readonly wanted?: 'running' | 'stopped';
}

function service(id: string, status: ServiceState, given: Given = {}): Service {
  const { ready = status === 'running' ? 2 : 0, type = 'service', tags = [], wanted = 'running' } = given;
  return {
    id,
    spec: { type, tags, command: `run ${id}` },
    status: {
      status,
      wanted,
      message: `${id} says why`,
      release: 2,
      instances: { wanted: 2, running: ready, ready },
      ...(given.return_code !== undefined && {
        return_code: given.return_code,
        end_time: '2026-01-01T00:00:00Z',
      }),
    },
  } as unknown as Service;
}

function alert(rule: string, of: string | null, given: Partial<Alert> = {}): Alert {
  const started_at = '2026-01-01T00:00:00Z';
  return {
    id: `${rule} ${of}`,
    rule,
    service: of,
    severity: 'warning',
    state: 'firing',
    summary: `${rule} of ${of}`,
    started_at,
    event: null,
    silenced_by: null,
    inhibited_by: null,
    ...given,
  } as Alert;
}

function event(id: number, type: EventType, of: string, release = 1): Event {
  return {
    id,
    type,
    service: of,
    release,
    time: '2026-01-01T00:00:00Z',
    message: type,
    actor: null,
  } as Event;
}

function kinds(services: Service[], alerts: Alert[] = [], events: Event[] = []): string[] {
  const found = problemsOf({ services, alerts, deployments: newestOf(events) });
  return found.map(({ key, kind, severity }) => `${key} ${kind} ${severity}`);
}

test('what runs, waits for its time, was stopped or is done is no problem', () => {
  const services = [
    service('web', 'running'),
    service('nightly', 'scheduled', { type: 'task' }),
    service('idle', 'stopped', { wanted: 'stopped', return_code: 143 }),
    service('once', 'completed', { type: 'task', return_code: 0 }),
    service('slow', 'starting'),
  ];
  assert.deepEqual(kinds(services), []);
});

test('the worst comes first, and a service is told once, whatever fires for it', () => {
  const services = [
    service('a', 'backoff'),
    service('b', 'failed'),
    service('c', 'running', { ready: 1 }),
    service('d', 'stopped', { return_code: 1 }),
    service('e', 'running'),
  ];
  const alerts = [
    alert('restart_loop', 'a'),
    alert('service_failed', 'b', { severity: 'critical' }),
    alert('slow', 'e', { severity: 'info' }),
    alert('disk_low', null, { severity: 'critical', started_at: '2026-01-02T00:00:00Z' }),
  ];
  assert.deepEqual(kinds(services, alerts).sort(), [
    'a backoff warning',
    'b failed critical',
    'c not_ready warning',
    'd failed critical',
    'disk_low null alert critical',
    'e alert info',
  ]);
  const severities = kinds(services, alerts).map((text) => text.split(' ').at(-1));
  assert.deepEqual(severities, ['critical', 'critical', 'critical', 'warning', 'warning', 'info']);
  assert.equal(kinds(services, alerts)[0], 'disk_low null alert critical');
});

test('a deployment that failed is told until one succeeds or its alert is silenced', () => {
  const failed = event(7, 'deployment.failed', 'web');
  const web = [service('web', 'running')];
  assert.deepEqual(kinds(web, [], [failed]), ['web deployment_failed warning']);
  assert.deepEqual(kinds(web, [alert('deployment_failed', 'web', { event: 7 })], [failed]), [
    'web deployment_failed warning',
  ]);
  assert.deepEqual(kinds(web, [], [event(9, 'deployment.succeeded', 'web'), failed]), []);
  const silenced = alert('deployment_failed', 'web', { event: 7, silenced_by: 'x' });
  assert.deepEqual(kinds(web, [silenced], [failed]), []);
  assert.deepEqual(kinds([service('web', 'stopped', { wanted: 'stopped' })], [], [failed]), [
    'web deployment_failed critical',
  ]);
});

test('instances that are not ready yet are no problem while they are deployed', () => {
  const web = [service('web', 'running', { ready: 1 })];
  assert.deepEqual(kinds(web, [], [event(1, 'deployment.started', 'web')]), []);
  assert.deepEqual(kinds(web, [], [event(2, 'deployment.succeeded', 'web')]), ['web not_ready warning']);
});

test('alerts that are silenced or explained by others are told nowhere', () => {
  const alerts = [alert('slow', 'web', { inhibited_by: 'x' }), alert('disk_low', null, { silenced_by: 'x' })];
  assert.deepEqual(kinds([service('web', 'running')], alerts), []);
});

test('a cause leaves out what the state says, and tells times as people do', () => {
  const web = service('web', 'backoff');
  const why = {
    state: 'backoff' as const,
    sentence: 'web is backoff. Process exited; it is started again at 2026-01-01T10:00:00.5Z',
  };
  const shown = () => 'ten';
  assert.equal(
    causeOf({ service: web, kind: 'backoff', message: '' }, why, shown),
    'Process exited; it is started again at ten',
  );
  assert.equal(causeOf({ service: web, kind: 'alert', message: 'it is slow' }, why, shown), 'It is slow');
});

test('of the last lines the one that tells of an error is shown, without its colours', () => {
  assert.equal(
    tellingLine(['\u001b[31mError: no disk\u001b[0m', '    at main.js:1', 'Node.js v24']),
    'Error: no disk',
  );
  assert.equal(tellingLine(['one', 'two', '  ']), 'two');
  assert.equal(tellingLine([]), '');
});

test('the events of a deployment become one, and those of the next one of its release another', () => {
  const events = [
    event(6, 'deployment.started', 'web', 1),
    event(5, 'deployment.failed', 'api', 2),
    event(4, 'deployment.progressed', 'api', 2),
    event(3, 'deployment.started', 'api', 2),
    event(2, 'deployment.succeeded', 'web', 1),
    event(1, 'deployment.started', 'web', 1),
  ];
  const told = (most: number) =>
    deploymentsOf(events, most).map(({ service: of, release, state }) => `${of} ${release} ${state}`);
  assert.deepEqual(told(9), ['web 1 under_way', 'api 2 failed', 'web 1 succeeded']);
  assert.deepEqual(told(2), ['web 1 under_way', 'api 2 failed']);
});

test('the error rate weighs each service by its requests, and is unknown without any', () => {
  const series = (of: string, points: SeriesPoints['points']): SeriesPoints => ({
    series: `x:${of}`,
    name: 'service.requests',
    service: of,
    unit: 'x',
    points,
  });
  const requests = [
    series('a', [
      [1, 30],
      [2, 0],
      [3, null],
    ]),
    series('b', [
      [1, 10],
      [2, null],
      [3, null],
    ]),
  ];
  const errors = [
    series('a', [
      [1, 0],
      [2, null],
    ]),
    series('b', [
      [1, 1],
      [2, null],
    ]),
  ];
  assert.deepEqual(errorRatioOf(requests, errors), [
    [1, 0.25],
    [2, null],
    [3, null],
  ]);
  assert.deepEqual(sumOf(requests), [
    [1, 40],
    [2, 0],
    [3, null],
  ]);
});

test('many series are asked for in lists that the agent accepts', () => {
  const ids = Array.from({ length: 500 }, (_, index) => `service-number-${index}`);
  const lists = seriesLists(['service.ready', 'service.missing'], ids, 32);
  assert.ok(lists.every((list) => list.length <= 4_096 && list.split(',').length * 32 <= 20_000));
  assert.equal(lists.join().split(',').length, 1_000);
  assert.deepEqual(seriesLists(['service.cpu'], ['a', 'b'], 300), ['service.cpu:a,service.cpu:b']);
});

test('a minute is good, bad, between, or no matter', () => {
  assert.deepEqual(
    [beatState(2, 0), beatState(1.5, 0.5), beatState(0, 2), beatState(0, 0)],
    ['healthy', 'not_ready', 'unhealthy', 'stopped'],
  );
});

test('services are found by words of their id, tags and command, and counted by state', () => {
  const services = [
    service('web', 'running', { tags: ['shop', 'front'] }),
    service('api', 'running', { tags: ['shop'], ready: 1 }),
    service('job', 'failed'),
  ];
  const ids = (search: string, state = '', tags: string[] = []) =>
    filterServices(services, { search, state, tags }).map(({ id }) => id);
  assert.deepEqual(ids('SHOP run'), ['web', 'api']);
  assert.deepEqual(ids('', 'not_ready'), ['api']);
  assert.deepEqual(ids('', '', ['shop', 'front']), ['web']);
  assert.deepEqual(
    services.map((one) => shownState(one)),
    ['running', 'not_ready', 'failed'],
  );
  assert.deepEqual(countStates(services), [
    ['failed', 1],
    ['not_ready', 1],
    ['running', 1],
  ]);
});

test('a service that stands still because its deployment failed is told from one that was stopped', () => {
  const services = [service('new', 'stopped'), service('old', 'stopped'), service('web', 'running')];
  const undeployed = new Set(['new', 'web']);
  const all = { search: '', state: '', tags: [] };
  assert.deepEqual(countStates(services, undeployed), [
    ['deployment_failed', 1],
    ['running', 1],
    ['stopped', 1],
  ]);
  const found = filterServices(services, { ...all, state: 'deployment_failed' }, undeployed);
  assert.deepEqual(
    found.map(({ id }) => id),
    ['new'],
  );
});
