import type { Request, RequestHandler, Response } from 'express';
import { canonicalAddress, networkMatcher } from '../lib/addresses.ts';
import { DavitError } from '../lib/errors.ts';

export interface NetworkSettings {
  /** Empty: all. */
  readonly allowed_networks: readonly string[];
  readonly trusted_proxies: readonly string[];
}

/** Knows from where a request comes, and whether it may. */
export interface Networks {
  /** Notes the caller's address, and whether it speaks TLS, for all that follows, and refuses the one that is outside the allowed networks. */
  readonly check: RequestHandler;
  allows(address: string): boolean;
}

/** @param settings are checked: their networks are well-formed. */
export function createNetworks({ allowed_networks, trusted_proxies }: NetworkSettings): Networks {
  const isInside = networkMatcher(allowed_networks);
  const isProxy = networkMatcher(trusted_proxies);
  const allows = (address: string) => allowed_networks.length === 0 || isInside(address);
  return {
    allows,
    check: (request, response, next) => {
      const address = callerOf(request, isProxy);
      response.locals['address'] = address;
      response.locals['is_secure'] = speaksTls(request, isProxy);
      if (allows(address)) return next();
      next(new DavitError('network_not_allowed', `calls from ${address} are not allowed (allowed_networks)`));
    },
  };
}

/** The caller's address, as `Networks.check` noted it. */
export function addressOf(response: Response): string {
  return String(response.locals['address'] ?? 'unknown');
}

/** Whether the caller speaks TLS as far as is known, with the agent or with a trusted proxy. */
export function isSecure(response: Response): boolean {
  return response.locals['is_secure'] === true;
}

/** What a trusted proxy at the other end says in X-Forwarded-Proto counts; where there are several, its own comes last. */
function speaksTls(request: Request, isProxy: (address: string) => boolean): boolean {
  if (request.secure) return true;
  const forwarded = request.get('X-Forwarded-Proto')?.split(',').at(-1)?.trim().toLowerCase();
  return forwarded === 'https' && isProxy(canonicalAddress(request.socket.remoteAddress ?? '') ?? 'unknown');
}

/**
 * The other end of the connection; when that is a trusted proxy, the nearest address in X-Forwarded-For that is none.
 * What stands further left there may have been written by the caller itself.
 */
function callerOf(request: Request, isProxy: (address: string) => boolean): string {
  let address = canonicalAddress(request.socket.remoteAddress ?? '') ?? 'unknown';
  const forwarded = request.get('X-Forwarded-For');
  if (forwarded === undefined) return address;
  for (const hop of forwarded.split(',').reverse()) {
    if (!isProxy(address)) return address;
    address = canonicalAddress(withoutPort(hop.trim())) ?? 'unknown';
  }
  return address;
}

/** Some proxies write the port too. */
function withoutPort(hop: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/.exec(hop) ?? [];
  return bracketed ?? plain ?? hop;
}
