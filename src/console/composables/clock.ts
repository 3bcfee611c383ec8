import { readonly, ref } from 'vue';

const now = ref(Date.now());
setInterval(() => {
  now.value = Date.now();
}, 10_000);

/** Milliseconds since 1970, moved on every ten seconds for everything that tells how long ago something was. */
export function useClock() {
  return readonly(now);
}
