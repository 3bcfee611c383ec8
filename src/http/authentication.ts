import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { DavitError } from '../lib/errors.ts';
import type { ApiKeys } from './api_keys.ts';
import type { JwtVerifier } from './jwt.ts';
import type { Principal } from './permission.ts';
import type { RateLimits } from './rate_limits.ts';

interface AuthenticationOptions {
  readonly keys: Pick<ApiKeys, 'verify'>;
  readonly tokens: Pick<JwtVerifier, 'recall' | 'verify'>;
  readonly limits: Pick<RateLimits, 'unproven' | 'failedAuthentications'>;
}

export interface Authentication {
  /** Takes `Authorization: Bearer <key or token>` or `X-API-Key: <key>`. */
  readonly bearer: RequestHandler;
  /** Also takes a key as the password of HTTP Basic, with any name: for pages that a browser opens, and only for them. */
  readonly browser: RequestHandler;
}

/** Finds out who calls, for `principalOf`. Whoever does not prove it gets no further. */
export function createAuthentication(options: AuthenticationOptions): Authentication {
  const { keys, tokens, limits } = options;
  const handler = (acceptsBasic: boolean): RequestHandler => {
    const challenge = acceptsBasic ? 'Basic realm="davit", charset="UTF-8"' : 'Bearer realm="davit"';
    return (request, response, next) => {
      const credential = readCredential(request, acceptsBasic);
      const known =
        typeof credential === 'string' ? (keys.verify(credential) ?? tokens.recall(credential)) : null;
      if (known !== null) return admit(known, response, next);
      const refuse = (failure: unknown) => {
        if (!(failure instanceof DavitError) || failure.code !== 'unauthenticated') return next(failure);
        // RFC 6750, section 3.1: an error is named only where a credential came.
        const reason = typeof credential === 'string' && !acceptsBasic ? ', error="invalid_token"' : '';
        response.setHeader('WWW-Authenticate', challenge + reason);
        limits.failedAuthentications(request, response, (excess?: unknown) => next(excess ?? failure));
      };
      limits.unproven(request, response, (excess?: unknown) => {
        if (excess !== undefined) return next(excess);
        prove(tokens, credential).then((principal) => admit(principal, response, next), refuse);
      });
    };
  };
  return { bearer: handler(false), browser: handler(true) };
}

function admit(principal: Principal, response: Response, next: NextFunction): void {
  response.locals['principal'] = principal;
  next();
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

/** The one key or token that the request carries, or why there is none. */
function readCredential({ headers }: Request, acceptsBasic: boolean): string | DavitError {
  const authorization = headers.authorization?.trim() ?? '';
  const apiKey = String(headers['x-api-key'] ?? '').trim();
  if (authorization === '') return apiKey === '' ? missing() : apiKey;
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
