import { z } from 'zod';
import { alertRule } from '../contract/alerts.ts';
import {
  emailFields,
  hasItsTemplate,
  notifierFields,
  templateMessage,
  webhookFields,
  webhookUrl,
} from '../contract/notifiers.ts';
import { duration } from '../contract/scalars.ts';
import { isNetwork } from '../lib/addresses.ts';
import { absoluteFile } from './fields.ts';

const notifier = z.discriminatedUnion('type', [
  z
    .strictObject({
      ...notifierFields,
      ...webhookFields,
      url: webhookUrl.optional(),
      url_file: absoluteFile.optional().describe('A file that holds the address, where that is a secret.'),
      secret_file: absoluteFile
        .optional()
        .describe(
          'Signs each body by HMAC-SHA256; of Feishu and DingTalk, what they call the signing secret.',
        ),
      ca_file: absoluteFile.optional().describe('Whom to believe besides the usual authorities.'),
    })
    .refine(({ url, url_file }) => (url === undefined) !== (url_file === undefined), {
      path: ['url'],
      message: 'a webhook needs either `url` or `url_file`',
    })
    .refine(hasItsTemplate, { path: ['body'], message: templateMessage }),
  z.strictObject({
    ...notifierFields,
    ...emailFields,
    password_file: absoluteFile.optional(),
    ca_file: absoluteFile.optional(),
  }),
  z.strictObject({
    ...notifierFields,
    type: z.literal('exec'),
    command: z
      .array(z.string().min(1).max(4_096))
      .min(1)
      .max(100)
      .describe(
        'Run as the user of the agent, without a shell; it gets the notification as JSON on its standard input.',
      ),
  }),
]);
export type NotifierConfig = z.output<typeof notifier>;

/** The setting `alerts`. */
export const alertsField = z
  .strictObject({
    built_in: z.boolean().default(true).describe('Whether the ready-made rules apply.'),
    rules: z
      .array(alertRule)
      .max(1_000)
      .refine(
        (all) => new Set(all.map(({ name }) => name)).size === all.length,
        'must have names that differ',
      )
      .default([]),
    notifiers: z
      .array(notifier)
      .max(100)
      .refine(
        (all) => new Set(all.map(({ name }) => name)).size === all.length,
        'must have names that differ',
      )
      .default([]),
    group_by: z
      .enum(['rule', 'service', 'alert'])
      .default('rule')
      .describe('What is told together: alerts of one rule, of one service, or none.'),
    group_wait: duration.default('300ms').describe('How long the first alert of a group waits for others.'),
    group_interval: duration
      .default('1m')
      .describe('How long to wait before more of a group that was told already is told.'),
    repeat: duration.default('4h').describe('How often it is told again while it fires.'),
    inhibit: z
      .boolean()
      .default(true)
      .describe(
        'Whether an alert is not told while one of a service on which its service depends explains it.',
      ),
    allowed_targets: z
      .array(
        z
          .string()
          .max(253)
          .refine(
            (text) => isNetwork(text) || /^(\*\.)?[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/.test(text),
            'must be the name of a host, such as hooks.example.org or *.example.org, or a network such as 10.0.0.0/8',
          ),
      )
      .max(1_000)
      .default([])
      .describe(
        'Where notifiers made by the API may lead besides public addresses: without this, never into this host or a private network.',
      ),
  })
  .prefault({});
export type AlertsConfig = z.output<typeof alertsField>;
