import type { AlertInFull, Notification } from '../contract/alerts.ts';
import { newId } from './alert_record.ts';

/** How many alerts stand in one notification; the title tells how many there are. */
const mostTold = 50;

/** Alerts that are told together. */
export interface Told {
  /** Those that fire, the ones that are new first; and those that are over. */
  readonly firing: readonly AlertInFull[];
  readonly resolved: readonly AlertInFull[];
  readonly key: string;
  readonly agent: Notification['agent'];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What one notifier is told of a group. */
export function notificationOf({ firing, resolved, key, agent, now }: Told): Notification {
  const alerts = [...firing, ...resolved];
  const [first] = alerts;
  if (first === undefined) throw new TypeError('there is nothing to tell');
  const isOfOne = alerts.every(({ service }) => service === first.service);
  return {
    id: newId(),
    time: new Date(now).toISOString(),
    status: firing.length > 0 ? 'firing' : 'resolved',
    agent,
    group: { key, rule: first.rule, service: isOfOne ? first.service : null },
    title: titleOf(firing, resolved),
    alerts: alerts.slice(0, mostTold),
  };
}

function titleOf(firing: readonly AlertInFull[], resolved: readonly AlertInFull[]): string {
  const [first] = firing.length > 0 ? firing : resolved;
  const mark = firing.length > 0 ? worst(firing).toUpperCase() : 'RESOLVED';
  const others = (firing.length > 0 ? firing.length : resolved.length) - 1;
  const more = others === 0 ? '' : `, and ${others} more`;
  const over = firing.length > 0 && resolved.length > 0 ? `; ${resolved.length} over` : '';
  return `[${mark}] ${oneLine(first?.summary ?? '')}${more}${over}`;
}

function worst(alerts: readonly AlertInFull[]): string {
  return ['critical', 'warning'].find((each) => alerts.some(({ severity }) => severity === each)) ?? 'info';
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 300);
}
