import type { Notification } from '../../contract/alerts.ts';
import { clip, isOver, type NotifiedAlert, oneLine } from './alert_text.ts';
import { jsonHeaders, noComplaint, type WebhookFormat } from './webhook_format.ts';

const path = '/api/v2/alerts';
/**
 * How long Alertmanager takes an alert for firing of which it hears nothing more, in milliseconds: longer than any
 * `repeat` that makes sense, for by its own reckoning it would be over after five minutes.
 */
const firesFor = 3 * 86_400_000;
/** A test is over by itself. */
const testFor = 60_000;

/** The API of the Alertmanager of Prometheus, version 2. The labels of an alert stay the same until it is over. */
export const alertmanager: WebhookFormat = {
  message: (notification, { url, now }) => ({
    url: apiAddress(url),
    headers: jsonHeaders,
    body: JSON.stringify(notification.alerts.map((alert) => postableAlert(alert, notification, now))),
  }),
  complaint: noComplaint,
};

/** The address of the server, or of what is in front of it, or that of its API. */
function apiAddress(url: string): string {
  const address = new URL(url);
  const base = address.pathname.replace(/\/+$/, '');
  address.pathname = base.endsWith(path) ? base : base + path;
  return address.href;
}

function postableAlert(alert: NotifiedAlert, { agent, status }: Notification, now: number) {
  const { id, rule, severity, service, instance, subject, summary, value, why, last_lines } = alert;
  const lasts = status === 'test' ? testFor : firesFor;
  return {
    labels: withoutEmpty({
      alertname: rule,
      severity,
      service,
      service_instance: instance === null ? null : String(instance),
      subject,
      instance: agent.hostname,
      job: 'davit',
    }),
    annotations: withoutEmpty({
      summary: clip(oneLine(summary), 1_000),
      value: value === null ? null : String(value),
      why: clip(why.map(oneLine).join('\n'), 8_000),
      last_lines: clip(last_lines.map(oneLine).join('\n'), 16_000),
      trace_id: alert.trace_id,
    }),
    startsAt: alert.started_at,
    endsAt: isOver(alert) ? (alert.resolved_at ?? alert.started_at) : new Date(now + lasts).toISOString(),
    ...(/^https?:\/\//.test(agent.url) && {
      generatorURL: `${agent.url}/api/v1/alerts/${encodeURIComponent(id)}`,
    }),
  };
}

/** An empty label is no label. */
function withoutEmpty(fields: Readonly<Record<string, string | null>>): Record<string, string> {
  const filled = Object.entries(fields).filter(
    (field): field is [string, string] => field[1] !== null && field[1] !== '',
  );
  return Object.fromEntries(filled);
}
