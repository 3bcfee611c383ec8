import { onScopeDispose, ref, shallowRef, type WatchSource, watch } from 'vue';
import { type ApiFailure, failureOf } from '../api/failure.ts';
import { useLive } from '../stores/live.ts';

/**
 * What a page shows and the live stream does not bring: loaded at once, whenever `sources` change, when the stream is
 * opened again, and by `load`. What was there stays until there is something newer; an answer that is overtaken is dropped.
 */
export function useLoaded<T>(ask: (signal: AbortSignal) => Promise<T>, sources: WatchSource[] = []) {
  const data = shallowRef<T | null>(null);
  const failure = shallowRef<ApiFailure | null>(null);
  const isLoading = ref(false);
  let current: AbortController | null = null;

  async function load(): Promise<void> {
    current?.abort();
    const own = new AbortController();
    current = own;
    isLoading.value = true;
    try {
      const answer = await ask(own.signal);
      if (own.signal.aborted) return;
      data.value = answer;
      failure.value = null;
    } catch (error) {
      if (!own.signal.aborted) failure.value = failureOf(error);
    } finally {
      if (current === own) isLoading.value = false;
    }
  }

  if (sources.length > 0) watch(sources, () => void load());
  const stop = useLive().on('connected', () => void load());
  onScopeDispose(() => {
    stop();
    current?.abort();
  });
  void load();
  return { data, failure, isLoading, load };
}
