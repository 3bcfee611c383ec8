import type { Request, RequestHandler, Response } from 'express';
import type { Operation } from '../contract/operations/operation.ts';
import { DavitError } from '../lib/errors.ts';
import { validate } from '../lib/validation.ts';
import { errorReply, requestIdOf } from './errors.ts';
import { fingerprint, type IdempotentAnswers, type KeptAnswer } from './idempotency.ts';
import { allows, allowsSome, principalOf, refusal } from './permission.ts';
import { type Call, type Handler, type Permission, type Route, streamed } from './route.ts';

/** Lets a call pass when its principal has what the route needs. A route that names no permission lets nobody pass. */
export function authorize(permission: Permission | undefined): RequestHandler {
  return (request, response, next) => {
    if (permission === 'public') return next();
    if (permission === undefined) throw new DavitError('forbidden', 'this call is not open to anyone');
    const principal = principalOf(response);
    const service = typeof request.params['id'] === 'string' ? request.params['id'] : null;
    const scope = typeof permission === 'string' ? permission : permission.some;
    const allowed =
      typeof permission === 'string' ? allows(principal, scope, service) : allowsSome(principal, scope);
    if (!allowed) throw refusal(principal, scope, service);
    next();
  };
}

/** Checks the parts of a call against the contract, runs its handler and answers. */
export function dispatch(route: Route, idempotentAnswers: IdempotentAnswers): RequestHandler {
  return async (request, response) => {
    const key = request.get('Idempotency-Key');
    // Answers are kept for those who are known.
    if (key === undefined || route.verb !== 'post' || route.permission === 'public') {
      const result = await handle(route, request, response);
      if (result !== null) send(response, result);
      return;
    }
    const { actor } = principalOf(response);
    const same = fingerprint(route.verb, request.path, request.body);
    const call = { actor, key: checkedKey(key), fingerprint: same, secret: route.operation.secret === true };
    const answer = await idempotentAnswers.once(call, () => settle(route, request, response));
    if (answer.replayed) response.set('Idempotency-Replayed', 'true');
    send(response, answer);
  };
}

async function handle(route: Route, request: Request, response: Response): Promise<KeptAnswer | null> {
  const { operation, permission } = route;
  const handler: Handler<typeof operation> = route.handler;
  const call = {
    path: operation.path && validate(operation.path, request.params, 'the path'),
    // What asks for the health may add anything against caches.
    ...(permission !== 'public' && {
      principal: principalOf(response),
      query: readQuery(operation, request),
    }),
    body: operation.body && validate(operation.body, request.body ?? {}, 'the body'),
    request,
    response,
  } as Call;
  const body = await handler(call);
  return body === streamed ? null : { status: operation.success ?? 200, body };
}

/** As `handle`, with an error turned into the answer that is to be kept for its key. */
async function settle(route: Route, request: Request, response: Response): Promise<KeptAnswer> {
  try {
    const answer = await handle(route, request, response);
    if (answer === null)
      throw new DavitError('invalid_request', 'an Idempotency-Key does not go with a stream');
    return answer;
  } catch (error) {
    const { status, code, body } = errorReply(error, requestIdOf(response));
    if (status >= 500) throw error;
    response.locals['error_code'] = code;
    return { status, body };
  }
}

function send(response: Response, { status, body }: KeptAnswer): void {
  response.status(status).json(body);
}

function checkedKey(key: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new DavitError('invalid_request', 'an Idempotency-Key is 1 to 255 visible ASCII characters');
}

function readQuery(operation: Operation, request: Request): unknown {
  if (operation.query) return validate(operation.query, request.query, 'the query');
  const [name] = Object.keys(request.query);
  if (name === undefined) return undefined;
  throw new DavitError('invalid_request', `${name} in the query: is not known; this call takes none`, {
    details: [{ path: name, message: 'is not known; this call takes none' }],
  });
}
