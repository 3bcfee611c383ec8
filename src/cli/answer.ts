import type { IncomingMessage } from 'node:http';
import { DavitError, type ErrorDetail } from '../lib/errors.ts';

/** The whole body of an answer. */
export async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Whether the answer is of that media type. */
export function isType(response: IncomingMessage, type: string): boolean {
  return response.headers['content-type']?.split(';')[0]?.trim() === type;
}

/** The JSON of an answer that is not an error. Throws what `errorOf` makes of anything else. */
export function parseAnswer(response: IncomingMessage, text: string, url: URL): unknown {
  const status = response.statusCode ?? 0;
  const value = status >= 200 && status <= 299 ? parsed(text) : undefined;
  if (value === undefined) throw errorOf(response, text, url);
  return value;
}

/** The error that an answer carries, or that it is no answer of an agent at all. */
export function errorOf(response: IncomingMessage, text: string, url: URL): DavitError {
  const { error, code, details, ...fields } = (parsed(text) ?? {}) as Record<string, unknown>;
  if (typeof error === 'string' && typeof code === 'string') {
    const retry = response.headers['retry-after'];
    return new DavitError(code, error, {
      ...(Array.isArray(details) && { details: details as ErrorDetail[] }),
      fields: { ...fields, ...(retry !== undefined && { retry_after: retry }) },
    });
  }
  const type = response.headers['content-type'] ?? 'no content type';
  const what = `what answers at ${url.origin} is not a davit agent: status ${response.statusCode}, ${type}`;
  return new DavitError('agent_unreachable', what, { fields: { reason: 'not_an_agent' } });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
