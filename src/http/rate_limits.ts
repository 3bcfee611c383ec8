import type { Request, RequestHandler, Response } from 'express';
import { type ClientRateLimitInfo, ipKeyGenerator, rateLimit, type Store } from 'express-rate-limit';
import type { RateLimitSettings } from '../config/access.ts';
import { DavitError } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import { addressOf } from './networks.ts';
import { principalOf } from './permission.ts';

/** How many callers a limit tells apart; of more than these, the one whose window began first is forgotten. */
const rememberedCallers = 10_000;

/**
 * How often one may call. A credential that is known to be good is never held back by what else comes from its
 * address: many pipelines share one, and a key of 256 random bits cannot be guessed, however often one may try.
 */
export interface RateLimits {
  /** By address: whatever comes without a credential that is known to be good. */
  readonly unproven: RequestHandler;
  /** By address: to be run for each failed attempt; it answers those beyond the limit, and calls `next` for the others. */
  readonly failedAuthentications: RequestHandler;
  /** By principal. */
  readonly authenticated: RequestHandler;
}

/** The limits that these settings ask for; every caller starts anew. */
export function createRateLimits(settings: RateLimitSettings): RateLimits {
  const { unproven, failed_authentications, authenticated } = settings;
  return {
    unproven: limiter(unproven, networkOf, 'requests without a proven credential from this address'),
    failedAuthentications: limiter(failed_authentications, networkOf, 'failed attempts from this address'),
    authenticated: limiter(authenticated, actorOf, 'requests with this credential'),
  };
}

function limiter(
  { requests, per }: RateLimitSettings[keyof RateLimitSettings],
  callerOf: (request: Request, response: Response) => string,
  subject: string,
): RequestHandler {
  const store = new BoundedStore(milliseconds(per));
  return rateLimit({
    limit: requests,
    store,
    keyGenerator: callerOf,
    legacyHeaders: false,
    standardHeaders: false,
    // They look for mistakes of set-up, at the price of the limit itself.
    validate: false,
    handler: (request, response, next) => {
      const seconds = store.secondsLeft(callerOf(request, response));
      response.setHeader('Retry-After', seconds);
      next(
        new DavitError(
          'too_many_requests',
          `there were more than ${requests} ${subject} within ${per}; try again in ${seconds} s`,
        ),
      );
    },
  });
}

function actorOf(_request: Request, response: Response): string {
  return principalOf(response).actor;
}

/** An IPv6 caller has a whole /64 to call from. */
function networkOf(_request: Request, response: Response): string {
  return ipKeyGenerator(addressOf(response), 64);
}

/** Counts in memory, for a bounded number of callers, by a clock that nobody sets. */
class BoundedStore implements Store {
  readonly localKeys = true;
  readonly #window: number;
  /** In the order in which their windows began. */
  readonly #callers = new Map<string, { totalHits: number; readonly endsAt: number }>();

  /** @param window in milliseconds. */
  constructor(window: number) {
    this.#window = window;
  }

  increment(key: string): ClientRateLimitInfo {
    const now = performance.now();
    const known = this.#callers.get(key);
    if (known !== undefined && known.endsAt > now) {
      known.totalHits++;
      return { totalHits: known.totalHits, resetTime: undefined };
    }
    this.#callers.delete(key);
    if (this.#callers.size >= rememberedCallers) {
      for (const oldest of this.#callers.keys().take(1)) this.#callers.delete(oldest);
    }
    this.#callers.set(key, { totalHits: 1, endsAt: now + this.#window });
    return { totalHits: 1, resetTime: undefined };
  }

  decrement(key: string): void {
    const known = this.#callers.get(key);
    if (known !== undefined) known.totalHits--;
  }

  resetKey(key: string): void {
    this.#callers.delete(key);
  }

  /** Until the caller's window ends, at least 1. */
  secondsLeft(key: string): number {
    const left = (this.#callers.get(key)?.endsAt ?? 0) - performance.now();
    return Math.max(1, Math.ceil(left / 1000));
  }
}
