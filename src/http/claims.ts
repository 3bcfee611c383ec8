import type { JWTPayload } from 'jose';
import type { JwtIssuer } from '../config/access.ts';
import { type Scope, scopes, serviceGlob } from '../contract/scalars.ts';
import { matchesGlob } from '../lib/glob.ts';
import type { Grant } from './permission.ts';

type Condition = JwtIssuer['grants'][number]['claims'];

/** What a token of this issuer may do by what it claims: every grant that fits it, and what the issuer itself grants it. */
export function grantsOf(rule: JwtIssuer, claims: JWTPayload): Grant[] {
  const fitting = rule.grants
    .filter((grant) => fits(grant.claims, claims))
    .map((grant): Grant => ({ scope: greatest(grant.scopes) ?? scopes[0], services: grant.services }));
  const own = ownGrant(rule, claims);
  return own === null ? fitting : [...fitting, own];
}

function fits(condition: Condition, claims: JWTPayload): boolean {
  return Object.entries(condition).every(([name, wanted]) => {
    const claimed: unknown = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return Array.isArray(claimed)
      ? claimed.some((value) => isValue(wanted, value))
      : isValue(wanted, claimed);
  });
}

function isValue(wanted: Condition[string], claimed: unknown): boolean {
  if (typeof wanted === 'string') return typeof claimed === 'string' && matchesGlob(wanted, claimed);
  return wanted === claimed;
}

/** What the issuer itself says in `scope_claim` and `services_claim`; null: nothing, or nothing that makes sense. */
function ownGrant(rule: JwtIssuer, claims: JWTPayload): Grant | null {
  if (rule.scope_claim === undefined) return null;
  const scope = greatest(words(claims[rule.scope_claim]));
  if (scope === null) return null;
  if (rule.services_claim === undefined) return { scope, services: null };
  const claimed = claims[rule.services_claim];
  if (claimed === null) return { scope, services: null };
  const services = words(claimed);
  const isGood = services.length > 0 && services.every((text) => serviceGlob.safeParse(text).success);
  return isGood ? { scope, services } : null;
}

function words(claimed: unknown): string[] {
  if (typeof claimed === 'string') return claimed.split(' ').filter((word) => word !== '');
  return Array.isArray(claimed) && claimed.every((word) => typeof word === 'string') ? claimed : [];
}

function greatest(held: readonly string[]): Scope | null {
  return scopes.findLast((scope) => held.includes(scope)) ?? null;
}
