import type { AlertEvent, AlertRule, Severity } from '../../../contract/alerts.ts';
import { alertEvents } from './rule_rights.ts';

/** A rule as it is typed. An empty text: it is not said. */
export interface RuleForm {
  name: string;
  kind: 'event' | 'series';
  event: AlertEvent;
  series: string;
  side: 'above' | 'below';
  threshold: string;
  clear: string;
  for: string;
  keep_firing_for: string;
  count: string;
  window: string;
  within: string;
  services: string;
  severity: Severity;
  /** Whether every notifier is told, or those that are named. */
  tells: 'all' | 'some';
  notify: string[];
  repeat: string;
  summary: string;
  enabled: boolean;
}

export function ruleForm(rule: AlertRule | null): RuleForm {
  const { above, below, clear } = rule ?? {};
  return {
    name: rule?.name ?? '',
    kind: rule?.event === undefined ? 'series' : 'event',
    event: rule?.event ?? alertEvents[0] ?? 'service_failed',
    series: rule?.series ?? 'service.cpu',
    side: below === undefined ? 'above' : 'below',
    threshold: String(above ?? below ?? ''),
    clear: String(clear ?? ''),
    for: rule?.for ?? '5m',
    keep_firing_for: rule?.keep_firing_for ?? '0s',
    count: String(rule?.count ?? 3),
    window: rule?.window ?? '5m',
    within: rule?.within ?? '14d',
    services: (rule?.services ?? ['*']).join(', '),
    severity: rule?.severity ?? 'warning',
    tells: rule?.notify ? 'some' : 'all',
    notify: [...(rule?.notify ?? [])],
    repeat: rule?.repeat ?? '',
    summary: rule?.summary ?? '',
    enabled: rule?.enabled ?? true,
  };
}

/** Parts of a text between which commas, spaces or line ends stand. */
export function words(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

/** What is sent for a form, without the name. The agent says what is wrong with it. */
export function ruleBody(form: RuleForm): object {
  const { side, threshold, clear, event, series } = form;
  const watched =
    form.kind === 'event'
      ? { event }
      : { series, [side]: number(threshold), ...(clear !== '' && { clear: number(clear) }) };
  return {
    ...watched,
    ...(form.kind === 'event' &&
      event === 'restart_loop' && { count: number(form.count), window: form.window }),
    ...(form.kind === 'event' && event === 'certificate_expiring' && { within: form.within }),
    for: form.for === '' ? '0s' : form.for,
    keep_firing_for: form.keep_firing_for === '' ? '0s' : form.keep_firing_for,
    services: words(form.services),
    severity: form.severity,
    notify: form.tells === 'all' ? null : form.notify,
    repeat: form.repeat === '' ? null : form.repeat,
    ...(form.summary !== '' && { summary: form.summary }),
    enabled: form.enabled,
  };
}

/** null where it is none, which the agent refuses with its own words. */
function number(text: string): number | null {
  return text.trim() === '' || Number.isNaN(Number(text)) ? null : Number(text);
}
