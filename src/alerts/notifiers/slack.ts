import type { Notification } from '../../contract/alerts.ts';
import { type AlertText, alertTexts, chatRoom, clip, greatestSeverity, oneLine } from './alert_text.ts';
import { jsonHeaders, noComplaint, type WebhookFormat } from './webhook_format.ts';

/** The most characters of a text, of a header and blocks of a message that Slack takes (Block Kit reference). */
const longestText = 3_000;
const longestHeader = 150;
const colors = { critical: '#d32f2f', warning: '#f9a825', info: '#1976d2', over: '#2e7d32' } as const;

/**
 * An incoming webhook of Slack. What services wrote stands in plain texts and, for the log, in a block of code, and the
 * three characters that begin a mention or a link (`<!channel>`) are escaped everywhere.
 */
export const slack: WebhookFormat = {
  message: (notification, { url }) => ({
    url,
    headers: jsonHeaders,
    body: JSON.stringify(slackMessage(notification)),
  }),
  complaint: noComplaint,
};

function slackMessage(notification: Notification) {
  const { shown, more } = alertTexts(notification, chatRoom);
  const title = oneLine(notification.title);
  const rest = more === 0 ? [] : [plain(`and ${more} more`)];
  return {
    // What a notification of the phone shows.
    text: clip(escapeText(title), longestText),
    mrkdwn: false,
    attachments: [
      {
        color: colors[greatestSeverity(notification) ?? 'over'],
        blocks: [
          { type: 'header', text: plainText(title, longestHeader) },
          ...shown.flatMap(alertBlocks),
          ...rest,
          { type: 'context', elements: [plainText(`davit on ${notification.agent.hostname}`, longestText)] },
        ],
      },
    ],
  };
}

/** Three at most: with ten alerts that is well below the fifty that a message may have. */
function alertBlocks({ heading, facts, why, last_lines }: AlertText) {
  const told = [heading, facts.map(([name, value]) => `${name}: ${value}`).join(' · ')];
  const chain = why.map((reason) => `• ${reason}`);
  return [
    plain(told.join('\n')),
    ...(chain.length > 0 ? [plain(chain.join('\n'))] : []),
    ...(last_lines.length > 0 ? [codeBlock(last_lines)] : []),
  ];
}

function plain(text: string) {
  return { type: 'section', text: plainText(text, longestText) };
}

function plainText(text: string, most: number) {
  return { type: 'plain_text', text: clipEscaped(text, most) || ' ', emoji: false };
}

/** The oldest lines go where they are too long together. */
function codeBlock(lines: readonly string[]) {
  const shown = lines.map((line) => escapeText(line.replaceAll('`', '\u02cb')));
  while (shown.length > 1 && shown.join('\n').length > longestText - 8) shown.shift();
  return {
    type: 'section',
    text: {
      type: 'mrkdwn',
      verbatim: true,
      text: `\`\`\`\n${clipEntity(shown.join('\n'), longestText - 8)}\n\`\`\``,
    },
  };
}

/** As Slack wants it: these three and no other. */
function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function clipEscaped(text: string, most: number): string {
  return clipEntity(escapeText(text), most);
}

/** No entity is cut in half. */
function clipEntity(text: string, most: number): string {
  return text.length <= most ? text : `${clip(text, most - 1).replace(/&[a-z]{0,3}…$/, '…')}`;
}
