import { defineStore } from 'pinia';
import { computed, shallowRef } from 'vue';
import type { Scope } from '../../contract/scalars.ts';
import type { Session } from '../../contract/sessions.ts';
import { matchesGlob } from '../../lib/glob.ts';
import { api, setCsrfToken } from '../api/client.ts';
import { ApiFailure } from '../api/failure.ts';

/** From least to most; each includes those before it. */
const scopes: readonly Scope[] = ['metrics', 'read', 'operate', 'deploy', 'admin'];

const kept = 'davit.signed_in';

/** Who is signed in, and what that one may do. */
export const useSession = defineStore('session', () => {
  /** undefined: not asked yet; null: nobody. */
  const session = shallowRef<Session | null | undefined>(undefined);
  const isSignedIn = computed(() => session.value !== null && session.value !== undefined);

  function take(next: Session | null): void {
    setCsrfToken(next?.csrf_token ?? '');
    session.value = next;
    remember(next !== null);
  }

  /** Asks the agent who this is, where somebody has signed in with this browser. Throws where it does not answer. */
  async function load(): Promise<void> {
    if (!hasSignedIn()) return take(null);
    try {
      take(await api.get<Session>('/session'));
    } catch (error) {
      if (!(error instanceof ApiFailure) || error.status !== 401) throw error;
      take(null);
    }
  }

  async function signIn(credential: string): Promise<void> {
    take(await api.post<Session>('/session', { body: { credential } }));
  }

  async function signOut(everywhere: boolean): Promise<void> {
    await api.delete(everywhere ? '/sessions' : '/session');
    take(null);
  }

  /**
   * Whether this one may do what needs `scope`.
   * @param service undefined: with at least one service; null: with the agent as a whole.
   */
  function can(scope: Scope, service?: string | null): boolean {
    return (session.value?.grants ?? []).some((grant) => {
      if (scopes.indexOf(grant.scope) < scopes.indexOf(scope)) return false;
      if (service === undefined || grant.services === null) return true;
      return service !== null && grant.services.some((glob) => matchesGlob(glob, service));
    });
  }

  return { session, isSignedIn, load, signIn, signOut, can, end: () => take(null) };
});

/** A call without a session would be a refusal, which the agent counts and writes down. */
function hasSignedIn(): boolean {
  try {
    return localStorage.getItem(kept) !== null;
  } catch {
    return true;
  }
}

function remember(isSignedIn: boolean): void {
  try {
    if (isSignedIn) localStorage.setItem(kept, 'true');
    else localStorage.removeItem(kept);
  } catch {
    // Then the agent is asked each time.
  }
}
