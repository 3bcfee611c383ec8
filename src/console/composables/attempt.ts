import { ref, shallowRef } from 'vue';
import { type ApiFailure, failureOf } from '../api/failure.ts';

/** Something that is tried until it works: whether that is being done, and how it failed last. */
export function useAttempt() {
  const isBusy = ref(false);
  const failure = shallowRef<ApiFailure | null>(null);

  async function attempt(act: () => Promise<void>): Promise<void> {
    isBusy.value = true;
    failure.value = null;
    try {
      await act();
    } catch (error) {
      failure.value = failureOf(error);
    } finally {
      isBusy.value = false;
    }
  }

  /** What was wrong with a field of what was sent, or with something in it. */
  function errorOf(field: string): string | undefined {
    const own = failure.value?.details.find(({ path }) => path === field || path.startsWith(`${field}.`));
    return own?.message;
  }

  return { isBusy, failure, attempt, errorOf };
}
