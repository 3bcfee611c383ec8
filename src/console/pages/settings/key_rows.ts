import type { ApiKey } from '../../../contract/keys.ts';
import type { Scope } from '../../../contract/scalars.ts';

/** From least to most; each includes those before it. */
export const scopes: readonly Scope[] = ['metrics', 'read', 'operate', 'deploy', 'admin'];

type KeyState = 'valid' | 'expired' | 'revoked';

export function stateOfKey(
  { revoked_at, expires_at }: Pick<ApiKey, 'revoked_at' | 'expires_at'>,
  now: number,
): KeyState {
  if (revoked_at !== null) return 'revoked';
  return expires_at !== null && Date.parse(expires_at) <= now ? 'expired' : 'valid';
}

/** The services of a key as one writes them into a field: ids and patterns with commas or spaces between them. */
export function globsOf(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((glob) => glob !== ''))];
}

export const globPattern = /^[a-z0-9*][a-z0-9._*-]{0,62}$/;
