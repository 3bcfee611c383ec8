import type { Response } from 'express';
import { type Scope, scopes } from '../contract/scalars.ts';
import { DavitError } from '../lib/errors.ts';
import { matchesGlob } from '../lib/glob.ts';
import { type Authority, fullAuthority, noAuthority } from '../services/seal.ts';

/** What a credential may do, and with which services. */
export interface Grant {
  /** The greatest scope; it includes those before it. */
  readonly scope: Scope;
  /** Ids in which `*` stands for any characters; null: every service, and the agent itself. */
  readonly services: readonly string[] | null;
}

/** Who makes a request, proven by an API key or a token. */
export interface Principal {
  /** `key:<id>` or `jwt:<issuer>#<subject>`. */
  readonly actor: string;
  /** For people: the name of the key, or the subject of the token. */
  readonly name: string;
  /** Each stands for itself: the scope of one does not extend to the services of another. Never empty. */
  readonly grants: readonly Grant[];
  /** Milliseconds since 1970; null: never. */
  readonly expires_at: number | null;
  /** The id of the session by which it is proven; absent: the key or token itself came. */
  readonly session?: string;
}

/**
 * Whether the principal may do what needs `permission` with this service.
 * @param service null: it concerns the agent as a whole, which no grant that is confined to services covers.
 */
export function allows(principal: Principal, permission: Scope, service: string | null): boolean {
  return principal.grants.some(
    (grant) =>
      covers(grant.scope, permission) && (grant.services === null || matches(grant.services, service)),
  );
}

/**
 * Whether there may be a service with which the principal may do what needs `permission`: the check of a call that
 * concerns many services, such as a list or a batch, whose handler then asks `allows` for each of them.
 */
export function allowsSome(principal: Principal, permission: Scope): boolean {
  return principal.grants.some((grant) => covers(grant.scope, permission));
}

/** Whether the principal decides what a service executes, also where that is sealed. */
export function authorityOf(principal: Principal, service: string): Authority {
  return allows(principal, 'admin', service) ? fullAuthority : noAuthority;
}

/** The answer to a call that the principal may not make. */
export function refusal(principal: Principal, permission: Scope, service: string | null): DavitError {
  const target =
    service === null ? 'this call, which concerns the whole agent,' : `this call on "${service}"`;
  return new DavitError(
    'forbidden',
    `${target} needs the scope ${permission}; ${principal.actor} has ${principal.grants.map(describe).join(' and ')}`,
  );
}

/** The principal that authentication found. Throws `unauthenticated` when none has run: no route is open by mistake. */
export function principalOf(response: Response): Principal {
  const principal: Principal | undefined = response.locals['principal'];
  if (principal === undefined)
    throw new DavitError('unauthenticated', 'this call needs an API key or a token');
  return principal;
}

function covers(scope: Scope, permission: Scope): boolean {
  return scopes.indexOf(scope) >= scopes.indexOf(permission);
}

function matches(globs: readonly string[], service: string | null): boolean {
  return service !== null && globs.some((glob) => matchesGlob(glob, service));
}

function describe({ scope, services }: Grant): string {
  if (services === null) return `${scope} on every service`;
  const shown = services.slice(0, 5).join(', ');
  return `${scope} on ${services.length > 5 ? `${shown} and ${services.length - 5} more` : shown}`;
}
