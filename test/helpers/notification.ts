import type { Notification } from '../../src/contract/alerts.ts';

type NotifiedAlert = Notification['alerts'][number];

/** An alert that fires, on a service. */
export function sampleAlert(change: Partial<NotifiedAlert> = {}): NotifiedAlert {
  return {
    id: 'k3f9x2m7q1wz',
    rule: 'service_failed',
    severity: 'critical',
    state: 'firing',
    service: 'web',
    instance: 2,
    subject: null,
    summary: 'Service web has failed',
    value: null,
    started_at: '2026-01-31T12:00:00.000Z',
    fired_at: '2026-01-31T12:00:01.000Z',
    resolved_at: null,
    event: 7,
    trace_id: null,
    silenced_by: null,
    inhibited_by: null,
    notified_at: null,
    why: ['Instance 2 exited with code 1', 'Instance 2 was started'],
    last_lines: ['listening', 'Error: no database'],
    ...change,
  };
}

/** A notification of one such alert. */
export function sampleNotification(change: Partial<Notification> = {}): Notification {
  return {
    id: 'n-1',
    time: '2026-01-31T12:00:01.300Z',
    status: 'firing',
    agent: { hostname: 'host-a', version: '1.2.3', url: 'http://127.0.0.1:8888' },
    group: { key: 'service_failed', rule: 'service_failed', service: 'web' },
    title: 'Service web has failed',
    alerts: [sampleAlert()],
    ...change,
  };
}
