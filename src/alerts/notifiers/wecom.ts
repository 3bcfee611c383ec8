import type { Notification } from '../../contract/alerts.ts';
import { alertTexts, chatRoom, clip, clipBytes, oneLine } from './alert_text.ts';
import { complaintOf, jsonHeaders, type WebhookFormat } from './webhook_format.ts';

/** How many bytes the text may have. */
const room = 4_096;
/** It is busy, or twenty messages a minute are reached. */
const passing = new Set([-1, 45_009, 45_033, 45_047]);

/** A group robot of WeCom. Its Markdown knows no escape, so that a blank of no width takes the meaning from what has one. */
export const wecom: WebhookFormat = {
  message: (notification, { url }) => ({
    url,
    headers: jsonHeaders,
    body: JSON.stringify({ msgtype: 'markdown', markdown: { content: content(notification) } }),
  }),
  complaint: (answer) => complaintOf(answer, ['errcode'], passing),
};

function content(notification: Notification): string {
  const { shown, more } = alertTexts(notification, chatRoom);
  const lines = [
    `### ${harmless(clip(oneLine(notification.title), 300))}`,
    `davit on ${harmless(clip(oneLine(notification.agent.hostname), 253))}`,
    ...shown.flatMap(({ heading, facts, why, last_lines }) => [
      `**${harmless(heading)}**`,
      facts.map(([name, value]) => `${name}: ${harmless(value)}`).join(' · '),
      ...why.map((reason) => `• ${harmless(reason)}`),
      ...last_lines.map((line) => `> ${harmless(line)}`),
    ]),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
  const kept: string[] = [];
  let size = 0;
  for (const line of lines) {
    size += Buffer.byteLength(line) + 1;
    if (size > room - 4) return kept.length === 0 ? clipBytes(line, room) : `${kept.join('\n')}\n…`;
    kept.push(line);
  }
  return kept.join('\n');
}

function harmless(text: string): string {
  return text.replaceAll(/[<>[\]*`_#@~]/g, (sign) => `${sign}\u200b`).replaceAll('://', ':\u200b//');
}
