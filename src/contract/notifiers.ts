import { z } from 'zod';
import { alertName, severity } from './alerts.ts';
import { duration, serviceGlob } from './scalars.ts';

const text = (most: number) => z.string().min(1).max(most);
/** What belongs to the connection, or is said by davit itself. */
const ownHeaders =
  /^(host|connection|content-length|transfer-encoding|keep-alive|te|trailer|upgrade|expect|proxy-.*|x-davit-.*)$/i;
const headerName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of a header')
  .refine((name) => !ownHeaders.test(name), 'is a header that davit sets itself');
const headerValue = z
  .string()
  .max(4_096)
  .regex(/^[^\r\n\0]*$/, 'must be one line');
const address = z
  .string()
  .max(320)
  .regex(/^[^\s<>"]+@[^\s<>"]+$/, 'must be an address such as ops@example.org');

export const webhookFormats = [
  'davit',
  'template',
  'slack',
  'feishu',
  'dingtalk',
  'wecom',
  'alertmanager',
] as const;

const commonFields = {
  services: z
    .array(serviceGlob)
    .min(1)
    .max(100)
    .default(['*'])
    .describe('Of which services it tells, and always of the host and the agent.'),
  severities: z.array(severity).min(1).max(3).default(['critical', 'warning', 'info']),
  send_resolved: z.boolean().default(true).describe('Whether it also tells when it is over.'),
  timeout: duration.default('10s').describe('How long one try may take, from 100ms to 10m.'),
  keep_trying: duration.default('24h').describe('How long what could not be delivered is tried again.'),
};

/** What every notifier has. */
export const notifierFields = { name: alertName, ...commonFields };

export const webhookFields = {
  type: z.literal('webhook'),
  format: z
    .enum(webhookFormats)
    .default('davit')
    .describe('`template`: what `body` says; the others are what these receivers take.'),
  body: text(65_536)
    .optional()
    .describe(
      'Of `template`: Mustache over the notification; values are written as the insides of JSON strings, {{{ }}} as they are.',
    ),
  content_type: text(200).default('application/json').describe('Of `template`.'),
  headers: z
    .record(headerName, headerValue)
    .refine((all) => Object.keys(all).length <= 50, 'must not hold more than 50')
    .default({}),
};

export const emailFields = {
  type: z.literal('email'),
  host: text(253),
  port: z.int().min(1).max(65_535).default(587),
  security: z
    .enum(['starttls', 'tls', 'none'])
    .default('starttls')
    .describe(
      '`starttls`: refused where the server does not offer it; `tls`: from the first byte; `none`: readable on the way.',
    ),
  username: text(320).optional(),
  from: address,
  to: z.array(address).min(1).max(50),
};

const url = z
  .string()
  .max(2_048)
  .refine((each) => {
    const parsed = URL.parse(each);
    return (
      parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.password === ''
    );
  }, 'must be an http or https address without a user name or a password');

export { url as webhookUrl };

/** Whether a template is there where one is wanted, and only there. */
export function hasItsTemplate({
  format,
  body,
}: {
  readonly format: string;
  readonly body?: string | undefined;
}): boolean {
  return (format === 'template') === (body !== undefined);
}
export const templateMessage = 'goes with `format: template`, which needs it';

const webhookByApi = {
  ...webhookFields,
  url,
  secret: text(1_024)
    .optional()
    .describe('Signs each body by HMAC-SHA256; of Feishu and DingTalk, what they call the signing secret.'),
};
const emailByApi = { ...emailFields, password: text(1_024).optional() };
const templateIssue = { path: ['body'], message: templateMessage };

/** A notifier as it is sent to the API: its secrets are in it, and are never shown again. No exec: commands come from the host. */
export const newNotifier = z
  .discriminatedUnion('type', [
    z.strictObject({ ...notifierFields, ...webhookByApi }).refine(hasItsTemplate, templateIssue),
    z.strictObject({ ...notifierFields, ...emailByApi }),
  ])
  .meta({ id: 'NewNotifier' });

export type NewNotifier = z.output<typeof newNotifier>;

const keptOfWebhook = z
  .string()
  .max(140)
  .regex(/^(url|secret|body|headers\..+)$/, 'must be `url`, `secret`, `body` or `headers.` and a name');

/**
 * All of it again. A secret that is neither sent nor named in `keep` is gone; one is kept only where it goes to the same
 * receiver, so that nobody has it sent to another one.
 */
export const replaceNotifier = z
  .discriminatedUnion('type', [
    z
      .strictObject({
        ...commonFields,
        ...webhookByApi,
        url: url.optional(),
        keep: z
          .array(keptOfWebhook)
          .max(53)
          .default([])
          .describe(
            'Which of its `secrets` stay as they are: `url`, and only together with it `secret`, `body` and `headers.<name>`.',
          ),
      })
      .superRefine(checkKept),
    z
      .strictObject({
        ...commonFields,
        ...emailByApi,
        keep: z
          .array(z.enum(['username', 'password']))
          .max(2)
          .default([])
          .describe(
            'Which of its `secrets` stay as they are, where `host`, `port` and `security` are those that it has.',
          ),
      })
      .superRefine(checkSentTwice),
  ])
  .meta({ id: 'ReplaceNotifier' });
export type ReplaceNotifier = z.output<typeof replaceNotifier>;

type Complain = (issue: { code: 'custom'; path: string[]; message: string }) => void;

/** What goes with a kept address, and what is needed where none is kept. */
function checkKept(
  sent: {
    readonly format: string;
    readonly url?: string | undefined;
    readonly body?: string | undefined;
    readonly headers: Readonly<Record<string, string>>;
    readonly keep: readonly string[];
  },
  context: { readonly addIssue: Complain },
): void {
  const { format, url: address, body, headers, keep } = sent;
  const complain = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  checkSentTwice({ ...sent, ...flatHeaders(headers) }, context);
  if (!keep.includes('url')) {
    if (address === undefined) complain('url', 'is missing: send it, or name it in `keep`');
    if (keep.length > 0)
      complain('keep', 'needs `url` too: secrets are kept only for the address that it has');
  }
  if ((format === 'template') !== (body !== undefined || keep.includes('body')))
    complain('body', templateMessage);
}

/** Throws nothing: it complains of what is both sent and kept. */
function checkSentTwice(
  sent: { readonly keep: readonly string[] },
  { addIssue }: { readonly addIssue: Complain },
): void {
  const given = new Map(Object.entries(sent).map(([name, value]) => [name.toLowerCase(), value]));
  for (const name of sent.keep)
    if (given.get(name.toLowerCase()) !== undefined)
      addIssue({ code: 'custom', path: ['keep'], message: `names \`${name}\`, which is sent as well` });
}

/** Each header under the name that `secrets` and `keep` have for it. */
export function flatHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [`headers.${name}`, value]));
}

export const shownNotifier = z
  .object({
    name: alertName,
    type: z.enum(['webhook', 'email', 'exec']),
    origin: z.enum(['configuration', 'api']),
    target: z
      .string()
      .describe(
        'Where it leads: the host of the address without path and query, the recipients, the program.',
      ),
    services: z.array(serviceGlob),
    severities: z.array(severity),
    send_resolved: z.boolean(),
    timeout: duration,
    keep_trying: duration,
    webhook: z
      .object({ format: webhookFields.format, content_type: webhookFields.content_type })
      .nullable()
      .describe('null: it is no webhook.'),
    email: z
      .object({
        host: emailFields.host,
        port: emailFields.port,
        security: emailFields.security,
        from: emailFields.from,
        to: emailFields.to,
      })
      .nullable()
      .describe('null: it is no e-mail.'),
    secrets: z
      .array(z.string())
      .describe(
        'What it has besides and is never shown: `url`, `secret`, `body`, `headers.<name>`, `username` and `password`, as `keep` of a replacement names them.',
      ),
    waiting: z.int().describe('Notifications that wait to be delivered.'),
    last_delivered_at: z.iso.datetime().nullable(),
    last_error: z.string().nullable().describe('Of the last try; null: it worked, or there was none.'),
    dropped: z.int().describe('Since the agent was started: too old, or too many waited.'),
  })
  .meta({ id: 'ShownNotifier' });
export type ShownNotifier = z.infer<typeof shownNotifier>;
export const notifierList = z.object({ notifiers: z.array(shownNotifier) }).meta({ id: 'NotifierList' });
export type NotifierList = z.infer<typeof notifierList>;
export const deletedNotifier = z.object({ deleted: shownNotifier }).meta({ id: 'DeletedNotifier' });
export type DeletedNotifier = z.infer<typeof deletedNotifier>;
export const notifierPath = z.strictObject({ notifier_name: alertName });
export const testedNotifier = z
  .object({
    delivered: z.literal(true),
    notifier: alertName,
    duration_ms: z.number(),
    outcome: z.string().describe('Such as `status 200`.'),
    answer: z
      .string()
      .describe('The beginning of what the receiver said; empty for keys without the scope admin.'),
  })
  .meta({ id: 'TestedNotifier' });
export type TestedNotifier = z.infer<typeof testedNotifier>;
