import { computed, type Ref, ref } from 'vue';
import { useI18n } from 'vue-i18n';
import type { ClosedConnections } from '../../../contract/traffic.ts';
import { api } from '../../api/client.ts';
import { failureOf } from '../../api/failure.ts';
import { useAction } from '../../composables/action.ts';
import { useSession } from '../../stores/session.ts';
import type { ConnectionChoice } from './connection_filter.ts';
import type { ConnectionRow } from './connection_rows.ts';

/** How many are closed by their ids at most, which is needed where the agent cannot tell which ones are meant. */
const mostNamed = 3_000;
/** How many the agent takes at once. */
const atOnce = 300;

interface ClosingOptions {
  readonly filter: Ref<ConnectionChoice>;
  readonly search: Ref<string>;
  /** What is shown. */
  readonly rows: Ref<readonly ConnectionRow[]>;
  /** How many fit in all. */
  readonly total: Ref<number>;
  readonly reload: () => Promise<void>;
}

/** Closes connections: one, or all that are meant by the filter. */
export function useClosing({ filter, search, rows, total, reload }: ClosingOptions) {
  const { t } = useI18n();
  const session = useSession();
  const { ask, run, isBusy, fail, succeed } = useAction();
  const done = ref(0);
  const mine = computed(() => rows.value.filter(({ service }) => session.can('operate', service)));
  const isSearched = computed(() => search.value.trim() !== '');
  /** How many would be closed, as far as that is known. */
  const count = computed(() =>
    !isSearched.value && session.can('operate', null) ? total.value : mine.value.length,
  );
  const isTooMany = computed(() => isSearched.value && count.value > mostNamed);

  async function closeOne({ id, client, service }: ConnectionRow): Promise<void> {
    const text = [
      t('connections.close_one_of', { client, service: service ?? t('common.none') }),
      t('connections.close_cost'),
    ].join(' ');
    if (!(await ask({ title: t('connections.close_one', { id }), text, action: t('common.close') }))) return;
    await run(
      () => api.delete<ClosedConnections>(`/connections/${id}`),
      ({ closed }) => t('connections.closed', { count: closed }, closed),
    );
    await reload();
  }

  async function closeAll(): Promise<void> {
    const number = count.value;
    const meant = mine.value.map(({ id }) => id);
    const isWanted = await ask({
      title: t('connections.close_many', { count: number }, number),
      text: [t('connections.close_cost'), isSearched.value ? '' : t('connections.close_also_new')].join(' '),
      action: t('connections.close_all'),
    });
    if (!isWanted) return;
    if (isSearched.value) await closeNamed(meant);
    else await closeFitting();
    await reload();
  }

  /** What the agent itself can tell apart. */
  async function closeFitting(): Promise<void> {
    const isAll = Object.values(filter.value).every((value) => value === '');
    const query = { ...filter.value, ...(isAll && { all: true }) };
    await run(
      () => api.delete<ClosedConnections>('/connections', { query }),
      ({ closed }) => t('connections.closed', { count: closed }, closed),
    );
  }

  async function closeNamed(meant: readonly string[]): Promise<void> {
    const ids = meant.slice(0, mostNamed);
    let closed = 0;
    done.value = 0;
    isBusy.value = true;
    try {
      while (done.value < ids.length) {
        const some = ids.slice(done.value, done.value + atOnce);
        const query = { ids: some.join(',') };
        closed += (await api.delete<ClosedConnections>('/connections', { query })).closed;
        done.value += some.length;
      }
      succeed(t('connections.closed', { count: closed }, closed));
    } catch (error) {
      if (closed > 0) succeed(t('connections.closed', { count: closed }, closed));
      fail(failureOf(error));
    } finally {
      isBusy.value = false;
    }
  }

  return { count, isTooMany, isBusy, done, closeOne, closeAll };
}
