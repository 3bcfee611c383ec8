import type { Severity } from '../../../contract/alerts.ts';
import type { ShownNotifier } from '../../../contract/notifiers.ts';
import { severities } from './alert_groups.ts';
import { words } from './rule_form.ts';

/** What receivers of webhooks take, each with how its maker calls it; null: it is no name. */
export const formats: Readonly<Record<string, string | null>> = {
  davit: null,
  template: null,
  slack: 'Slack',
  feishu: 'Feishu / Lark',
  dingtalk: 'DingTalk',
  wecom: 'WeCom',
  alertmanager: 'Alertmanager',
};

/** A notifier as it is typed. An empty text: it is not said, or, of a secret that is there, it stays. */
export interface NotifierForm {
  /** Which secrets are there and were not taken out; `keptSecrets` tells those of them that can stay. */
  present: string[];
  name: string;
  type: 'webhook' | 'email';
  format: string;
  url: string;
  secret: string;
  headers: string;
  body: string;
  content_type: string;
  host: string;
  port: string;
  security: 'starttls' | 'tls' | 'none';
  username: string;
  password: string;
  from: string;
  to: string;
  services: string;
  severities: Severity[];
  send_resolved: boolean;
  timeout: string;
  keep_trying: string;
}

/** Begins with what the agent shows of a notifier; its secrets it keeps to itself. */
export function notifierForm(notifier: ShownNotifier | null): NotifierForm {
  const { webhook, email, secrets = [] } = notifier ?? {};
  return {
    present: [...secrets],
    name: notifier?.name ?? '',
    type: email ? 'email' : 'webhook',
    format: webhook?.format ?? 'slack',
    url: '',
    secret: '',
    headers: '',
    body: secrets.includes('body') ? '' : '{"text": "{{title}}"}',
    content_type: webhook?.content_type ?? 'application/json',
    host: email?.host ?? '',
    port: String(email?.port ?? 587),
    security: email?.security ?? 'starttls',
    username: '',
    password: '',
    from: email?.from ?? '',
    to: (email?.to ?? []).join(', '),
    services: (notifier?.services ?? ['*']).join(', '),
    severities: [...(notifier?.severities ?? severities)],
    send_resolved: notifier?.send_resolved ?? true,
    timeout: notifier?.timeout ?? '10s',
    keep_trying: notifier?.keep_trying ?? '24h',
  };
}

/** Whether it goes on to where it went, which is what its secrets are for. */
export function isSameReceiver(form: NotifierForm, notifier: ShownNotifier): boolean {
  if (form.type !== notifier.type) return false;
  if (form.type === 'webhook') return form.url.trim() === '';
  const { host, port, security } = notifierForm(notifier);
  return form.host.trim() === host && form.port === port && form.security === security;
}

/** Which secrets of a notifier stay as they are: to another receiver none goes, and another one takes the place of its own. */
export function keptSecrets(form: NotifierForm, notifier: ShownNotifier | null): string[] {
  if (notifier === null || !isSameReceiver(form, notifier)) return [];
  const typed = new Set(headersOf(form).map(([name]) => `headers.${name}`.toLowerCase()));
  return form.present.filter((name) => {
    if (name === 'body') return form.format === 'template' && form.body === '';
    if (name === 'secret' || name === 'username' || name === 'password') return form[name] === '';
    return !typed.has(name.toLowerCase());
  });
}

/** What is sent for a form, without the name. The agent says what is wrong with it. */
export function notifierBody(form: NotifierForm, notifier: ShownNotifier | null): object {
  return {
    ...(form.type === 'webhook' ? webhook(form) : email(form)),
    ...(notifier !== null && { keep: keptSecrets(form, notifier) }),
    services: words(form.services),
    severities: form.severities,
    send_resolved: form.send_resolved,
    timeout: form.timeout,
    keep_trying: form.keep_trying,
  };
}

function webhook(form: NotifierForm): object {
  const { format, url, secret, body, content_type } = form;
  return {
    type: 'webhook',
    format,
    ...(url.trim() !== '' && { url: url.trim() }),
    ...(secret !== '' && { secret }),
    ...(format === 'template' && { ...(body !== '' && { body }), content_type }),
    headers: Object.fromEntries(headersOf(form)),
  };
}

function headersOf({ headers }: NotifierForm): [string, string][] {
  return headers.split('\n').flatMap(headerOf);
}

/** A line without a colon is taken as a name, so that the agent can say what is wrong with it. */
function headerOf(line: string): [string, string][] {
  if (line.trim() === '') return [];
  const [name = '', ...value] = line.split(':');
  return [[name.trim(), value.join(':').trim()]];
}

function email({ host, port, security, username, password, from, to }: NotifierForm): object {
  return {
    type: 'email',
    host: host.trim(),
    port: Number(port),
    security,
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
    from: from.trim(),
    to: words(to),
  };
}
