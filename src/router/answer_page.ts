import { STATUS_CODES } from 'node:http';

/** What the router answers by itself, as whole as it goes to the client. */
export interface AnswerPage {
  readonly status: number;
  /** Flat: name, value, name, value… */
  readonly fields: readonly string[];
  readonly body: string;
}

/** @param retry_after in seconds; only for 503 */
export interface PageText {
  readonly status: number;
  readonly message: string;
  readonly retry_after?: number;
}

/** By what the status calls the error in the JSON form. */
const codes: Readonly<Record<number, string>> = {
  400: 'bad_request',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  413: 'body_too_large',
  431: 'headers_too_large',
  500: 'internal',
  501: 'not_implemented',
  502: 'bad_gateway',
  503: 'service_unavailable',
  504: 'gateway_timeout',
  505: 'version_not_supported',
};

/** A page for who takes HTML, JSON for everybody else. The message is ours, and nothing of the request stands in it. */
export function answerPage(
  { status, message, retry_after }: PageText,
  accept: string | undefined,
): AnswerPage {
  const isHtml = accept !== undefined && /\btext\/html\b/i.test(accept);
  const body = isHtml ? html(status, message) : json(status, message);
  const fields = [
    'Content-Type',
    isHtml ? 'text/html; charset=utf-8' : 'application/json',
    'Content-Length',
    String(Buffer.byteLength(body)),
    'Cache-Control',
    'no-store',
  ];
  if (retry_after !== undefined) fields.push('Retry-After', String(retry_after));
  return { status, fields, body };
}

/** The same as it goes over a connection on which no request could be read; it ends there. */
export function rawAnswer(text: PageText): string {
  const { status, fields, body } = answerPage(text, undefined);
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, 'Connection: close'];
  for (let at = 0; at < fields.length; at += 2) lines.push(`${fields[at]}: ${fields[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

function json(status: number, message: string): string {
  return `${JSON.stringify({ error: message, code: codes[status] ?? 'error' })}\n`;
}

function html(status: number, message: string): string {
  const title = `${status} ${STATUS_CODES[status] ?? ''}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:20vh auto 0;padding:0 1em;color:#222;background:#fff}h1{font-size:1.4em}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}}</style>
<h1>${title}</h1>
<p>${message.charAt(0).toUpperCase()}${message.slice(1)}.</p>
</html>
`;
}
