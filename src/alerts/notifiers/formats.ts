import type { webhookFormats } from '../../contract/notifiers.ts';
import { alertmanager } from './alertmanager.ts';
import { davit } from './davit.ts';
import { dingtalk } from './dingtalk.ts';
import { feishu } from './feishu.ts';
import { slack } from './slack.ts';
import { templateFormat } from './template.ts';
import type { WebhookFormat } from './webhook_format.ts';
import { wecom } from './wecom.ts';

interface FormatOptions {
  readonly format: (typeof webhookFormats)[number];
  readonly body?: string | undefined;
  readonly content_type: string;
}

const readyMade = { davit, slack, feishu, dingtalk, wecom, alertmanager } as const;

/** What a webhook sends. A template without a body sends nothing but an empty one. */
export function formatOf({ format, body = '', content_type }: FormatOptions): WebhookFormat {
  return format === 'template' ? templateFormat({ body, content_type }) : readyMade[format];
}
