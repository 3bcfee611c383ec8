import { createHmac } from 'node:crypto';
import type { Notification } from '../../contract/alerts.ts';
import { alertTexts, chatRoom, clip, clipBytes, oneLine } from './alert_text.ts';
import { complaintOf, jsonHeaders, type WebhookFormat } from './webhook_format.ts';

/** A message may have 20,000 bytes with all that is around the text. */
const room = 18_000;
/** It is busy, or twenty messages a minute are reached. */
const passing = new Set([-1, 130_101, 410_100, 660_026, 90_018]);

/** A custom robot of DingTalk: Markdown in which what services wrote is escaped, and nobody is mentioned. */
export const dingtalk: WebhookFormat = {
  message: (notification, { url, secret, now }) => ({
    url: secret === null ? url : signed(url, secret, now),
    headers: jsonHeaders,
    body: JSON.stringify({
      msgtype: 'markdown',
      markdown: { title: clip(oneLine(notification.title), 200), text: text(notification) },
      at: { atMobiles: [], atUserIds: [], isAtAll: false },
    }),
  }),
  complaint: (answer) => complaintOf(answer, ['errcode'], passing),
};

/** The time in milliseconds and the secret are signed with the secret. */
function signed(url: string, secret: string, now: number): string {
  const signature = createHmac('sha256', secret).update(`${now}\n${secret}`).digest('base64');
  const address = new URL(url);
  address.searchParams.set('timestamp', String(now));
  address.searchParams.set('sign', signature);
  return address.href;
}

function text(notification: Notification): string {
  const { shown, more } = alertTexts(notification, chatRoom);
  const paragraphs = [
    `### ${escapeMarkdown(clip(oneLine(notification.title), 500))}`,
    // What is first is never cut off: a robot may ask for a word that stands in each message.
    `davit on ${escapeMarkdown(clip(oneLine(notification.agent.hostname), 253))}`,
    ...shown.flatMap(({ heading, facts, why, last_lines }) => [
      `**${escapeMarkdown(heading)}**`,
      facts.map(([name, value]) => `${name}: ${escapeMarkdown(value)}`).join(' · '),
      why.map((reason) => `- ${escapeMarkdown(reason)}`).join('\n'),
      last_lines.map((line) => `> ${escapeMarkdown(line)}`).join('\n\n'),
    ]),
    more > 0 ? `and ${more} more` : '',
  ];
  return clipMarkdown(paragraphs.filter((paragraph) => paragraph !== ''));
}

/** Whole paragraphs as long as there is room: what is cut within one could end its escape. */
function clipMarkdown(paragraphs: readonly string[]): string {
  let shown = '';
  for (const paragraph of paragraphs) {
    const more = shown === '' ? paragraph : `${shown}\n\n${paragraph}`;
    if (jsonBytes(more) > room) return shown === '' ? clipBytes(paragraph, room / 2) : `${shown}\n\n…`;
    shown = more;
  }
  return shown;
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/** What means something to Markdown or HTML is shown as it stands, and a blank of no width keeps `@` from being a mention. */
function escapeMarkdown(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[\\`*_{}[\]()#+!|~]/g, (sign) => `\\${sign}`)
    .replaceAll('@', '@\u200b')
    .replaceAll('://', ':\u200b//');
}
