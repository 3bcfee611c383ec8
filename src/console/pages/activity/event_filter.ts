import type { Event } from '../../../contract/events.ts';

/** The kinds of events that are told apart, with the types of each as the API takes them. */
export const eventKinds: Readonly<Record<string, readonly string[]>> = {
  deployments: ['deployment.*', 'declaration.*'],
  services: ['service.*'],
  configuration: ['config.*', 'agent.configuration_reloaded', 'agent.configuration_refused'],
  rules: ['rule.*', 'connection.*'],
  alerts: ['alert.*', 'alert_rule.*', 'silence.*', 'notifier.*'],
  keys: ['key.*'],
  agent: ['agent.*', 'orphan.*'],
};

/** Which events are wanted. Empty texts: all. */
interface EventFilter {
  readonly service: string;
  readonly kind: string;
  readonly actor: string;
  /** RFC 3339. */
  readonly until: string;
  /** Also what nobody asked for. */
  readonly withAutomatic: boolean;
}

/** As the API is asked for them. */
export function eventQuery({ service, kind, actor, withAutomatic }: EventFilter) {
  return {
    service,
    type: eventKinds[kind]?.join() ?? '',
    actor: actor === '' && !withAutomatic ? 'any' : actor,
  };
}

/** Whether an event that comes now is among those wanted. */
export function fitsEvent(
  event: Event,
  { service, kind, actor, until, withAutomatic }: EventFilter,
): boolean {
  if (service !== '' && event.service !== service) return false;
  if (until !== '' && Date.parse(event.time) > Date.parse(until)) return false;
  if (actor !== '' ? event.actor !== actor : event.actor === null && !withAutomatic) return false;
  return eventKinds[kind]?.some((pattern) => fitsType(event.type, pattern)) ?? true;
}

function fitsType(type: string, pattern: string): boolean {
  return pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}

/** How an event is meant, as the colour of its name says it. */
export function meaningOfEvent(type: string): 'bad' | 'good' | '' {
  if (/failed|refused|unhealthy|not_ready|firing|set_aside/.test(type)) return 'bad';
  return /succeeded|resolved|completed/.test(type) ? 'good' : '';
}
