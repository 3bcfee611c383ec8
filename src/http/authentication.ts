import { timingSafeEqual } from 'node:crypto';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { DavitError } from '../lib/errors.ts';
import type { ApiKeys } from './api_keys.ts';
import type { JwtVerifier } from './jwt.ts';
import type { Principal } from './permission.ts';
import type { RateLimits } from './rate_limits.ts';
import type { SessionCookie } from './session_cookie.ts';
import type { Session, Sessions } from './sessions.ts';

interface AuthenticationOptions {
  readonly keys: Pick<ApiKeys, 'verify'>;
  readonly tokens: Pick<JwtVerifier, 'recall' | 'verify'>;
  readonly sessions: Pick<Sessions, 'find'>;
  readonly cookie: SessionCookie;
  readonly limits: Pick<RateLimits, 'unproven' | 'failedAuthentications'>;
}

export interface Authentication {
  /** Takes `Authorization: Bearer <key or token>` or `X-API-Key: <key>`; where neither is there, the cookie of a session. */
  readonly bearer: RequestHandler;
  /** Also takes a key as the password of HTTP Basic, with any name: for pages that a browser opens, and only for them. */
  readonly browser: RequestHandler;
  /** Who a key or token belongs to that came in a body. Throws as a request with it would be refused, and counts as much. */
  readonly prove: (credential: string, request: Request, response: Response) => Promise<Principal>;
}

const bearerChallenge = 'Bearer realm="davit"';
const basicChallenge = 'Basic realm="davit", charset="UTF-8"';
// RFC 6750, section 3.1: an error is named only where a credential came.
const wrongBearer = `${bearerChallenge}, error="invalid_token"`;

/** Finds out who calls, for `principalOf`. Whoever does not prove it gets no further. */
export function createAuthentication(options: AuthenticationOptions): Authentication {
  const { keys, tokens, sessions, cookie, limits } = options;
  const recognise = (credential: string) => keys.verify(credential) ?? tokens.recall(credential);

  const refusal = (challenge: string, request: Request, response: Response, next: NextFunction) => {
    return (failure: unknown) => {
      if (!(failure instanceof DavitError) || failure.code !== 'unauthenticated') return next(failure);
      response.setHeader('WWW-Authenticate', challenge);
      limits.failedAuthentications(request, response, (excess?: unknown) => next(excess ?? failure));
    };
  };

  const bySession = (
    secrets: readonly string[],
    request: Request,
    response: Response,
    next: NextFunction,
  ) => {
    const found = secrets.map((secret) => sessions.find(secret, isUse(request)));
    const session = found.find((each) => each !== null);
    if (session !== undefined) {
      response.locals['session'] = session;
      // A cache may keep what is asked for with a cookie, unlike what comes with an Authorization.
      response.setHeader('Cache-Control', 'no-store');
      return admit(session.principal, response, forgeryProblem(request, session), next);
    }
    // Never a challenge for which the browser itself would ask the person who looks at the console.
    const refuse = refusal(bearerChallenge, request, response, next);
    limits.unproven(request, response, (excess?: unknown) => {
      if (excess !== undefined) return next(excess);
      cookie.clear(response);
      refuse(refused('the session has ended; sign in again'));
    });
  };

  const handler = (acceptsBasic: boolean): RequestHandler => {
    return (request, response, next) => {
      const credential = readCredential(request, acceptsBasic);
      // Where an Authorization is none of ours, such as the password of a proxy in front, the cookie counts.
      const secrets = typeof credential === 'string' ? [] : cookie.read(request, response);
      if (secrets.length > 0) return bySession(secrets, request, response, next);
      const known = typeof credential === 'string' ? recognise(credential) : null;
      if (known !== null) return admit(known, response, null, next);
      const bearer = typeof credential === 'string' ? wrongBearer : bearerChallenge;
      const refuse = refusal(acceptsBasic ? basicChallenge : bearer, request, response, next);
      limits.unproven(request, response, (excess?: unknown) => {
        if (excess !== undefined) return next(excess);
        prove(tokens, credential ?? missing()).then(
          (principal) => admit(principal, response, null, next),
          refuse,
        );
      });
    };
  };

  return {
    bearer: handler(false),
    browser: handler(true),
    prove: (credential, request, response) => {
      const known = recognise(credential);
      if (known !== null) return Promise.resolve(known);
      const { promise, resolve, reject } = Promise.withResolvers<Principal>();
      limits.unproven(request, response, (excess?: unknown) => {
        if (excess !== undefined) return reject(excess);
        prove(tokens, credential).then(resolve, refusal(wrongBearer, request, response, reject));
      });
      return promise;
    },
  };
}

function admit(
  principal: Principal,
  response: Response,
  problem: DavitError | null,
  next: NextFunction,
): void {
  response.locals['principal'] = principal;
  next(problem ?? undefined);
}

/** Whether somebody does something: not what a page asks for by itself, in the background or as a stream. */
function isUse({ headers }: Request): boolean {
  return headers['x-background'] === undefined && headers.accept?.includes('text/event-stream') !== true;
}

/**
 * What keeps a call from being forged by a page of another port of this host, whose calls the browser sends with the
 * cookie: SameSite knows no ports either.
 */
function forgeryProblem({ method, headers }: Request, { csrf_token }: Session): DavitError | null {
  if (method === 'GET' || method === 'HEAD') return null;
  const given = Buffer.from(String(headers['x-csrf-token'] ?? ''));
  const right = Buffer.from(csrf_token);
  if (given.length === right.length && timingSafeEqual(given, right)) return null;
  const where = 'send what GET /api/v1/session answers as csrf_token';
  return new DavitError('csrf_token_invalid', `X-CSRF-Token is missing or not that of the session; ${where}`);
}

/** What is left to try when the credential is neither a good key nor a token that was seen a moment ago. */
async function prove(
  tokens: AuthenticationOptions['tokens'],
  credential: string | DavitError,
): Promise<Principal> {
  if (credential instanceof DavitError) throw credential;
  if (credential.startsWith('davit_')) throw refused('the API key is unknown, expired or revoked');
  return tokens.verify(credential);
}

/** The one key or token that the request carries, or why it cannot be told; null: there is none. */
function readCredential({ headers }: Request, acceptsBasic: boolean): string | DavitError | null {
  const authorization = headers.authorization?.trim() ?? '';
  const apiKey = String(headers['x-api-key'] ?? '').trim();
  if (authorization === '') return apiKey === '' ? null : apiKey;
  const text = fromAuthorization(authorization, acceptsBasic);
  if (text === null) {
    return refused('the Authorization header must be "Bearer" with an API key or a token after it');
  }
  if (apiKey !== '' && apiKey !== text) {
    return refused('Authorization and X-API-Key carry different credentials; send one of them');
  }
  return text;
}

function fromAuthorization(header: string, acceptsBasic: boolean): string | null {
  const [, scheme = '', text = ''] = /^(Bearer|Basic) +(\S+)$/i.exec(header) ?? [];
  if (scheme.toLowerCase() === 'bearer') return text;
  if (scheme === '' || !acceptsBasic) return null;
  const pair = Buffer.from(text, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

function missing(): DavitError {
  return refused('this call needs an API key or a token: send "Authorization: Bearer …" or "X-API-Key: …"');
}

function refused(message: string): DavitError {
  return new DavitError('unauthenticated', message);
}
