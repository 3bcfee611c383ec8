import { computed, type WritableComputedRef } from 'vue';
import { useRoute, useRouter } from 'vue-router';

/** A part of what a page shows that stands in its address, so that it can be kept, shared and gone back to. */
export function useAddress(name: string, fallback = ''): WritableComputedRef<string> {
  const route = useRoute();
  const router = useRouter();
  return computed({
    get: () => {
      const value = route.query[name];
      return typeof value === 'string' ? value : fallback;
    },
    set: (value) => {
      const { [name]: _, ...rest } = router.currentRoute.value.query;
      const query = value === fallback ? rest : { ...rest, [name]: value };
      void router.replace({ query, hash: route.hash });
    },
  });
}
