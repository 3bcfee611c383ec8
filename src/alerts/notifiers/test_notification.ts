import { randomUUID } from 'node:crypto';
import type { Notification } from '../../contract/alerts.ts';

/** What is sent to try a notifier: one alert that says what it is, with all the parts that others have. */
export function testNotification(agent: Notification['agent'], now: number): Notification {
  const time = new Date(now).toISOString();
  return {
    id: `test-${randomUUID()}`,
    time,
    status: 'test',
    agent,
    group: { key: 'test', rule: 'test', service: null },
    title: `Test: davit on ${agent.hostname} can reach this notifier`,
    alerts: [
      {
        id: 'test',
        rule: 'test',
        severity: 'info',
        state: 'firing',
        service: null,
        instance: null,
        subject: null,
        summary: 'This is a test; nothing has happened.',
        value: null,
        started_at: time,
        fired_at: time,
        resolved_at: null,
        event: null,
        trace_id: null,
        silenced_by: null,
        inhibited_by: null,
        notified_at: null,
        why: ['Somebody asked for a test'],
        last_lines: ['Here are the last lines of a service'],
      },
    ],
  };
}
