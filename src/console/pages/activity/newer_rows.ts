import { onScopeDispose, shallowRef } from 'vue';

/** Where a page counts as being at its top, in pixels. */
const top = 200;
/** How long what comes is gathered, in milliseconds. */
const gathered = 200;
/** How many may wait; who reads the past for long finds the others again by loading anew. */
const most = 1_000;

/** New rows of a list: at its top they appear at once; further down, where they would move what is read, they wait. */
export function useNewerRows<Row>(add: (rows: readonly Row[]) => void) {
  const waiting = shallowRef<readonly Row[]>([]);
  let timer: ReturnType<typeof setTimeout> | undefined;

  function come(row: Row): void {
    waiting.value = [row, ...waiting.value].slice(0, most);
    timer ??= setTimeout(() => {
      timer = undefined;
      look();
    }, gathered);
  }

  function look(): void {
    if (waiting.value.length > 0 && window.scrollY < top) take();
  }

  function take(): void {
    const rows = waiting.value;
    waiting.value = [];
    add(rows);
  }

  function clear(): void {
    waiting.value = [];
  }

  /** Leads to the top, where they are. */
  function show(): void {
    take();
    window.scrollTo({ top: 0 });
  }

  addEventListener('scroll', look, { passive: true });
  onScopeDispose(() => {
    clearTimeout(timer);
    removeEventListener('scroll', look);
  });
  return { waiting, come, clear, show };
}
