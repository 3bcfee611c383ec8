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

/** A notifier as it is typed. An empty text: it is not said. */
export interface NotifierForm {
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

/** Begins with what the agent shows of a notifier; the rest it keeps to itself. */
export function notifierForm(notifier: ShownNotifier | null): NotifierForm {
  return {
    name: notifier?.name ?? '',
    type: notifier?.type === 'email' ? 'email' : 'webhook',
    // What it was is not shown; it must not become another one unseen.
    format: notifier === null ? 'slack' : '',
    url: '',
    secret: '',
    headers: '',
    body: '{"text": "{{title}}"}',
    content_type: 'application/json',
    host: '',
    port: '587',
    security: 'starttls',
    username: '',
    password: '',
    from: '',
    to: notifier?.type === 'email' ? notifier.target : '',
    services: (notifier?.services ?? ['*']).join(', '),
    severities: [...(notifier?.severities ?? severities)],
    send_resolved: notifier?.send_resolved ?? true,
    timeout: '10s',
    keep_trying: '24h',
  };
}

/** What is sent for a form, without the name. The agent says what is wrong with it. */
export function notifierBody(form: NotifierForm): object {
  return {
    ...(form.type === 'webhook' ? webhook(form) : email(form)),
    services: words(form.services),
    severities: form.severities,
    send_resolved: form.send_resolved,
    timeout: form.timeout,
    keep_trying: form.keep_trying,
  };
}

function webhook({ format, url, secret, headers, body, content_type }: NotifierForm): object {
  return {
    type: 'webhook',
    format,
    url: url.trim(),
    ...(secret !== '' && { secret }),
    ...(format === 'template' && { body, content_type }),
    headers: Object.fromEntries(headers.split('\n').flatMap(headerOf)),
  };
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
