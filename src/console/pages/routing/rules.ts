import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue';
import { useI18n } from 'vue-i18n';
import type { RuleList } from '../../../contract/rule_requests.ts';
import type { Rule } from '../../../contract/rules.ts';
import { api } from '../../api/client.ts';
import { useAction } from '../../composables/action.ts';
import { useLoaded } from '../../composables/loaded.ts';
import { useLive } from '../../stores/live.ts';
import { useSession } from '../../stores/session.ts';
import { foretold, newOrder } from './rule_order.ts';
import { servicesOf } from './rule_words.ts';

/** How long changes that follow each other are gathered, in milliseconds. */
const gathered = 300;

/** The rules in the order in which they are looked at, and what can be done with them. */
export function useRules() {
  const { t } = useI18n();
  const session = useSession();
  const { ask, run, isBusy } = useAction();
  const { data, failure, load } = useLoaded<RuleList>((signal) => api.get('/rules', { signal }));
  /** The order that is wanted of the rules that can be moved, until it is saved; null: that of now. */
  const wanted = shallowRef<readonly string[] | null>(null);
  /** The rule that is being switched. */
  const switched = ref<string | null>(null);

  const rules = computed(() => data.value?.rules ?? []);
  const own = computed(() => rules.value.filter(canChange));
  const order = computed(() => (wanted.value === null ? null : newOrder(own.value, wanted.value)));
  /** As they are shown: how they will be looked at once the order is saved. */
  const shown = computed(() => {
    if (order.value === null || wanted.value === null) return rules.value;
    const byId = new Map(own.value.map((rule) => [rule.id, rule]));
    const moved = wanted.value.flatMap((id) => byId.get(id) ?? []);
    return foretold(rules.value, moved, order.value);
  });

  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = useLive().on('event', ({ type }) => {
    if (!/^(rule\.|deployment\.(succeeded|failed)|service\.(updated|deleted))/.test(type)) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void load();
    }, gathered);
  });
  onScopeDispose(() => {
    clearTimeout(timer);
    stop();
  });
  // An order of other rules is none of these any more.
  watch(own, (now) => {
    const isSame = wanted.value?.length === now.length && now.every(({ id }) => wanted.value?.includes(id));
    if (!isSame || order.value === null) wanted.value = null;
  });

  /** A rule is changed by who may deploy every service to which it leads; one that answers by itself by an admin. */
  function canChange(rule: Rule): boolean {
    if (rule.declared_by !== null) return false;
    const services = servicesOf(rule);
    if (services.length === 0) return session.can('admin', null);
    return services.every((service) => session.can('deploy', service));
  }

  /** Moves a rule among those that can be moved, by so many places. Returns where it is then, from 0; null: nowhere else. */
  function move(id: string, places: number): number | null {
    const ids = wanted.value ?? own.value.map((rule) => rule.id);
    const from = ids.indexOf(id);
    const to = Math.max(0, Math.min(ids.length - 1, from + places));
    if (from === -1 || to === from) return null;
    const next = ids.toSpliced(from, 1).toSpliced(to, 0, id);
    wanted.value = newOrder(own.value, next) === null ? null : next;
    return to;
  }

  async function saveOrder(): Promise<void> {
    if (order.value === null) return;
    const { ids } = order.value;
    const answer = await run(
      () => api.put<RuleList>('/rules/order', { body: { ids } }),
      () => t('routing.order_saved'),
    );
    if (answer === null) return;
    wanted.value = null;
    await load();
  }

  function discardOrder(): void {
    wanted.value = null;
  }

  async function setEnabled({ id }: Rule, isEnabled: boolean): Promise<void> {
    switched.value = id;
    await run(
      () => api.post<Rule>(`/rules/${id}/${isEnabled ? 'enable' : 'disable'}`),
      () => t(isEnabled ? 'routing.enabled' : 'routing.disabled', { id }),
    );
    await load();
    switched.value = null;
  }

  async function remove({ id }: Rule): Promise<void> {
    const question = { title: t('routing.ask_delete', { id }), text: t('routing.ask_delete_text') };
    if (!(await ask({ ...question, action: t('common.delete') }))) return;
    await run(
      () => api.delete(`/rules/${id}`),
      () => t('routing.deleted', { id }),
    );
    await load();
  }

  return {
    data,
    failure,
    load,
    rules,
    own,
    shown,
    order,
    switched,
    isBusy,
    canChange,
    move,
    saveOrder,
    discardOrder,
    setEnabled,
    remove,
  };
}

export type Rules = ReturnType<typeof useRules>;
