import type { Notification } from '../../contract/alerts.ts';
import { type AlertText, alertTexts, clip, oneLine, pageRoom } from './alert_text.ts';

/** A message for people, in two forms that say the same. */
export interface EmailText {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** In characters. */
const longestSubject = 200;

export function emailText(notification: Notification): EmailText {
  const title = oneLine(notification.title);
  const { shown, more } = alertTexts(notification, pageRoom);
  const { hostname, version } = notification.agent;
  const sender = `davit ${oneLine(version)} on ${oneLine(hostname)}, ${notification.time}`;
  const rest = more === 0 ? [] : [`and ${more} more`];
  return {
    subject: clip(`[davit] ${title}`, longestSubject),
    text: `${[title, ...shown.map(plainAlert), ...rest, `-- \n${sender}`].join('\n\n')}\n`,
    html: [
      '<!doctype html><html><head><meta charset="utf-8"></head><body style="font-family:sans-serif">',
      `<h2>${escapeHtml(title)}</h2>`,
      ...shown.map(htmlAlert),
      ...rest.map((each) => `<p>${each}</p>`),
      `<p style="color:#666">${escapeHtml(sender)}</p></body></html>`,
    ].join('\n'),
  };
}

function plainAlert({ heading, facts, why, last_lines }: AlertText): string {
  return [
    heading,
    ...facts.map(([name, value]) => `  ${name}: ${value}`),
    ...(why.length > 0 ? ['', '  Why:', ...why.map((reason) => `  - ${reason}`)] : []),
    ...(last_lines.length > 0 ? ['', '  Last lines:', ...last_lines.map((line) => `  | ${line}`)] : []),
  ].join('\n');
}

function htmlAlert({ heading, facts, why, last_lines }: AlertText): string {
  const rows = facts.map(
    ([name, value]) => `<tr><td>${escapeHtml(name)}</td><td>${escapeHtml(value)}</td></tr>`,
  );
  const reasons = why.map((reason) => `<li>${escapeHtml(reason)}</li>`);
  return [
    `<h3>${escapeHtml(heading)}</h3>`,
    `<table cellpadding="4">${rows.join('')}</table>`,
    reasons.length > 0 ? `<p>Why:</p><ul>${reasons.join('')}</ul>` : '',
    last_lines.length > 0 ? `<p>Last lines:</p><pre>${escapeHtml(last_lines.join('\n'))}</pre>` : '',
  ].join('\n');
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
