import { onScopeDispose, type Ref, ref, watch } from 'vue';

/**
 * Does something again and again, each time so long after the last one has ended, while the page is seen.
 * @param pause_ms in milliseconds
 */
export function usePolling(work: () => Promise<void>, pause_ms: number, isPaused: Ref<boolean> = ref(false)) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;

  function next(): void {
    clearTimeout(timer);
    if (isOver || isPaused.value || document.hidden) return;
    timer = setTimeout(() => void work().finally(next), pause_ms);
  }

  function again(): void {
    clearTimeout(timer);
    if (!isOver && !isPaused.value && !document.hidden) void work().finally(next);
  }

  watch(isPaused, again);
  document.addEventListener('visibilitychange', again);
  onScopeDispose(() => {
    isOver = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', again);
  });
  next();
}
