import type { Notification, Severity } from '../../contract/alerts.ts';

export type NotifiedAlert = Notification['alerts'][number];

/** What of an alert is shown to people, in parts that each format puts together in its own way. */
export interface AlertText {
  /** `critical: Service web has failed`, or `over: …`. */
  readonly heading: string;
  /** Names and values. */
  readonly facts: readonly (readonly [string, string])[];
  readonly why: readonly string[];
  readonly last_lines: readonly string[];
}

/** How much of a notification is shown where room is short. */
export interface Room {
  readonly alerts: number;
  readonly why: number;
  readonly last_lines: number;
  /** In characters. */
  readonly line: number;
}

export const chatRoom: Room = { alerts: 10, why: 6, last_lines: 12, line: 300 };
export const pageRoom: Room = { alerts: 50, why: 50, last_lines: 100, line: 2_000 };

/** The alerts of a notification as texts, what fires first; `more` were left out. */
export function alertTexts(
  { alerts }: Notification,
  room: Room,
): { readonly shown: readonly AlertText[]; readonly more: number } {
  const ordered = [...alerts].sort((a, b) => Number(isOver(a)) - Number(isOver(b)));
  const shown = ordered.slice(0, room.alerts).map((alert) => alertText(alert, room));
  return { shown, more: ordered.length - shown.length };
}

export function isOver({ state }: Pick<NotifiedAlert, 'state'>): boolean {
  return state === 'resolved';
}

/** The greatest severity of what still fires; null: nothing does. */
export function greatestSeverity({ alerts }: Notification): Severity | null {
  const firing = alerts.filter((alert) => !isOver(alert)).map(({ severity }) => severity);
  return (['critical', 'warning', 'info'] as const).find((each) => firing.includes(each)) ?? null;
}

/** One line: what would begin another, or means something to a terminal, becomes a blank; colours and what turns the direction of writing go. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const plain = text.replace(/\u001b\[[0-9;]{0,20}[A-Za-z]|[\u202a-\u202e\u2066-\u2069]/g, '');
  return plain.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}

/** At most so many UTF-16 units; never half of a character. */
export function clip(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${text
    .slice(0, Math.max(0, most - 1))
    .toWellFormed()
    .replace(/\ufffd$/, '')}…`;
}

/** At most so many bytes of UTF-8; never half of a character. */
export function clipBytes(text: string, most: number): string {
  if (Buffer.byteLength(text) <= most) return text;
  const bytes = Buffer.from(text).subarray(0, Math.max(0, most - 3));
  return `${new TextDecoder('utf-8', { fatal: false }).decode(bytes).replace(/\ufffd+$/, '')}…`;
}

function alertText(alert: NotifiedAlert, room: Room): AlertText {
  const line = (text: string) => clip(oneLine(text), room.line);
  const { rule, service, instance, subject, value, started_at, resolved_at, trace_id } = alert;
  const facts: [string, string | null][] = [
    ['rule', rule],
    ['service', service],
    ['instance', instance === null ? null : String(instance)],
    ['about', subject === null ? null : line(subject)],
    ['value', value === null ? null : String(Number(value.toPrecision(6)))],
    ['since', started_at],
    ['until', resolved_at],
    ['trace', trace_id],
  ];
  return {
    heading: line(`${isOver(alert) ? 'over' : alert.severity}: ${alert.summary}`),
    facts: facts.filter((fact): fact is [string, string] => fact[1] !== null),
    why: alert.why.slice(0, room.why).map(line),
    last_lines: alert.last_lines.slice(-room.last_lines).map(line),
  };
}
