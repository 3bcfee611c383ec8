import { createHmac } from 'node:crypto';
import type { Notification } from '../../contract/alerts.ts';
import { alertTexts, chatRoom, clip, clipBytes, greatestSeverity, oneLine } from './alert_text.ts';
import { complaintOf, jsonHeaders, type WebhookFormat } from './webhook_format.ts';

/** A request of a custom bot may have 20 KB; what is around the texts and their escapes needs some of it. */
const room = 9_000;
const templates = { critical: 'red', warning: 'orange', info: 'blue', over: 'green' } as const;
/** Too many messages. */
const passing = new Set([9499, 11232, 11233, 11247]);

/** A custom bot of Feishu or Lark: a card of plain texts, in which nothing mentions anybody or is a link. */
export const feishu: WebhookFormat = {
  message: (notification, { url, secret, now }) => ({
    url,
    headers: jsonHeaders,
    body: JSON.stringify({ ...(secret !== null && signed(secret, now)), ...card(notification) }),
  }),
  complaint: (answer) => complaintOf(answer, ['code', 'StatusCode'], passing),
};

/** The key is the time and the secret, and nothing is signed with it. */
function signed(secret: string, now: number): { readonly timestamp: string; readonly sign: string } {
  const timestamp = String(Math.floor(now / 1_000));
  const sign = createHmac('sha256', `${timestamp}\n${secret}`).update('').digest('base64');
  return { timestamp, sign };
}

function card(notification: Notification) {
  const { shown, more } = alertTexts(notification, chatRoom);
  const texts = shown.map(({ heading, facts, why, last_lines }) =>
    [
      heading,
      ...facts.map(([name, value]) => `${name}: ${value}`),
      ...why.map((reason) => `• ${reason}`),
      ...last_lines.map((line) => `│ ${line}`),
    ].join('\n'),
  );
  if (more > 0) texts.push(`and ${more} more`);
  const each = Math.floor(room / Math.max(1, texts.length));
  return {
    msg_type: 'interactive',
    card: {
      config: { wide_screen_mode: true },
      header: {
        title: plainText(clip(oneLine(notification.title), 200)),
        template: templates[greatestSeverity(notification) ?? 'over'],
      },
      elements: [
        ...texts.map((text) => ({ tag: 'div', text: plainText(clipBytes(text, each)) })),
        { tag: 'note', elements: [plainText(`davit on ${clip(notification.agent.hostname, 253)}`)] },
      ],
    },
  };
}

function plainText(content: string) {
  return { tag: 'plain_text', content };
}
