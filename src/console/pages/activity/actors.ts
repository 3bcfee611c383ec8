import { computed } from 'vue';
import type { ApiKeyList } from '../../../contract/keys.ts';
import { api } from '../../api/client.ts';
import { useLoaded } from '../../composables/loaded.ts';
import { useSession } from '../../stores/session.ts';

/** The names of the keys, where this one may see them, and its own. */
export function useActorNames() {
  const session = useSession();
  const { data } = useLoaded<ApiKeyList | null>(async (signal) =>
    session.can('admin', null) ? api.get<ApiKeyList>('/keys', { signal }) : null,
  );
  return computed<ReadonlyMap<string, string>>(() => {
    const keys = data.value?.keys ?? [];
    const names = new Map(keys.map(({ id, name }) => [`key:${id}`, name]));
    const own = session.session;
    if (own?.actor.startsWith('key:')) names.set(own.actor, own.name);
    return names;
  });
}
