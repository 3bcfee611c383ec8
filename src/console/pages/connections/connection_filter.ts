import { computed } from 'vue';
import { useRoute, useRouter } from 'vue-router';

/** What the agent looks for connections by; empty: whatever it is. */
const names = ['service', 'instance', 'client', 'protocol', 'rule'] as const;
type Name = (typeof names)[number];
export type ConnectionChoice = Readonly<Record<Name, string>>;

/** Which connections are meant, as the address of the page has it. */
export function useConnectionFilter() {
  const route = useRoute();
  const router = useRouter();
  const filter = computed<ConnectionChoice>(() => {
    const { service, instance, client, protocol, rule } = route.query;
    const whole = /^\d{1,6}$/.test(text(instance)) ? text(instance) : '';
    return {
      service: text(service),
      instance: whole,
      client: text(client),
      protocol: text(protocol),
      rule: text(rule),
    };
  });
  const isSet = computed(() => names.some((name) => filter.value[name] !== ''));

  /** An instance is one of a service: without it, its number says nothing. */
  function choose(changes: Partial<ConnectionChoice>): void {
    const query = { ...router.currentRoute.value.query, ...changes };
    if (changes.service !== undefined && changes.instance === undefined) query['instance'] = '';
    const kept = Object.entries(query).filter(([, value]) => value !== '' && value !== null);
    void router.replace({ query: Object.fromEntries(kept) });
  }

  function clear(): void {
    const { sort } = router.currentRoute.value.query;
    void router.replace({ query: sort ? { sort } : {} });
  }

  return { filter, isSet, choose, clear };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
