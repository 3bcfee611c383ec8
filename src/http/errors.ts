import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { type ErrorCode, errorStatus } from '../contract/error_codes.ts';
import { DavitError } from '../lib/errors.ts';

/** The HTTP status and the body of an error. */
export interface ErrorReply {
  readonly status: number;
  readonly code: ErrorCode;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What the parser of bodies throws (body-parser): its `type` says what was wrong. */
const bodyErrors: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  'entity.too.large': ['body_too_large', 'the body is larger than this agent accepts (body_limit)'],
  'entity.parse.failed': ['invalid_json', 'the body is not valid JSON'],
  'encoding.unsupported': ['unsupported_media_type', 'the body must not be compressed'],
  'charset.unsupported': ['unsupported_media_type', 'the body must be JSON in UTF-8'],
  'request.size.invalid': ['invalid_request', 'the body is not as long as Content-Length says'],
  'request.aborted': ['invalid_request', 'the request ended before its body did'],
};

/** The one map from errors to HTTP. What was not meant for the caller is `internal` and says nothing of itself. */
export function errorReply(error: unknown, requestId: string): ErrorReply {
  const known = toDavitError(error);
  const code = known.code in errorStatus ? (known.code as ErrorCode) : 'internal';
  const details = known.details.length > 0 ? { details: known.details } : {};
  return {
    status: errorStatus[code],
    code,
    body: { error: known.message, code, request_id: requestId, ...details, ...known.fields },
  };
}

/** Answers every error of every route. */
export function answerErrors(log: Logger): ErrorRequestHandler {
  return (error, request, response, next) => {
    const reply = errorReply(error, requestIdOf(response));
    if (reply.status >= 500)
      log.error({ err: error, request_id: requestIdOf(response), path: request.path }, 'request failed');
    response.locals['error_code'] = reply.code;
    if (response.headersSent) return next(error);
    response.status(reply.status).json(reply.body);
  };
}

/** Answers what no route took: 405 where the path is known with another verb, 404 else. */
export function answerUnknownRoutes(verbsOf: (path: string) => readonly string[]): RequestHandler {
  return (request, response) => {
    const verbs = verbsOf(request.path);
    if (verbs.length === 0)
      throw new DavitError('not_found', `there is nothing at ${request.method} ${request.path}`);
    response.set('Allow', verbs.join(', '));
    throw new DavitError(
      'method_not_allowed',
      `${request.path} takes ${verbs.join(', ')}, not ${request.method}`,
    );
  };
}

export function requestIdOf(response: Response): string {
  return String(response.locals['request_id'] ?? '');
}

function toDavitError(error: unknown): DavitError {
  if (error instanceof DavitError) return error;
  const [code, message] = bodyErrors[String((error as { type?: unknown } | null)?.type)] ?? [];
  if (code !== undefined && message !== undefined) return new DavitError(code, message);
  if (error instanceof URIError)
    return new DavitError('invalid_request', 'the path is not properly percent-encoded');
  return new DavitError(
    'internal',
    'something went wrong inside the agent; its log has the details under this request_id',
  );
}
