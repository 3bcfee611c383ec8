import { computed, onScopeDispose, ref, shallowRef, type WatchSource, watch } from 'vue';
import { type ApiFailure, failureOf } from '../api/failure.ts';
import { useLive } from '../stores/live.ts';

/** A part of a list that goes back in time, newest first, and the cursor of the one before it. */
export interface RowPage<Row> {
  readonly rows: readonly Row[];
  /** null: nothing older is kept. */
  readonly next: string | null;
}

/** How many pages with little or nothing in them are followed before somebody has to ask for more. */
const patience = 4;
/** How many rows are enough to stop at. */
const enough = 25;
/** How many rows may be there when new ones come, and how many stay then: the others can be had again. */
const most = 5_000;
const kept = 1_000;

interface Wanted<Row> {
  readonly ask: (before: string | null, signal: AbortSignal) => Promise<RowPage<Row>>;
  readonly keyOf: (row: Row) => string;
  /** The cursor of what is older than the row; absent: rows are never let go. */
  readonly cursorOf?: (row: Row) => string;
  /** What the question is made of: when it changes, the list begins anew. */
  readonly sources: WatchSource[];
}

/** A long list of the past: its newest part at once, older ones as they are wanted, newer ones as they come. */
export function usePagedRows<Row>({ ask, keyOf, cursorOf, sources }: Wanted<Row>) {
  const rows = shallowRef<readonly Row[]>([]);
  const next = ref<string | null>(null);
  const failure = shallowRef<ApiFailure | null>(null);
  const isLoading = ref(false);
  const isLoaded = ref(false);
  /** Whether it was looked far back for little: who wants to look further says so. */
  const isTired = ref(false);
  const hasOlder = computed(() => next.value !== null);
  let current: AbortController | null = null;

  async function run(act: (signal: AbortSignal) => Promise<void>): Promise<void> {
    current?.abort();
    const own = new AbortController();
    current = own;
    isLoading.value = true;
    try {
      await act(own.signal);
      if (!own.signal.aborted) failure.value = null;
    } catch (error) {
      if (!own.signal.aborted) failure.value = failureOf(error);
    } finally {
      if (current === own) isLoading.value = false;
    }
  }

  /** Follows the pages from `before` on until there are enough rows. */
  async function follow(before: string | null, signal: AbortSignal): Promise<void> {
    let [found, cursor] = [0, before];
    for (let page = 0; page < patience; page += 1) {
      const answer = await ask(cursor, signal);
      if (signal.aborted) return;
      rows.value = page === 0 && before === null ? answer.rows : joined(rows.value, answer.rows);
      found += answer.rows.length;
      cursor = answer.next;
      next.value = cursor;
      isLoaded.value = true;
      if (cursor === null || found >= enough) break;
    }
    isTired.value = cursor !== null && found < enough;
  }

  /** Puts parts of the list after each other; what stands in both stands there once. */
  function joined(newer: readonly Row[], older: readonly Row[]): readonly Row[] {
    const there = new Set(newer.map(keyOf));
    return [...newer, ...older.filter((row) => !there.has(keyOf(row)))];
  }

  function restart(): void {
    rows.value = [];
    next.value = null;
    isLoaded.value = false;
    isTired.value = false;
    void run((signal) => follow(null, signal));
  }

  async function loadOlder(): Promise<void> {
    if (isLoading.value || next.value === null) return;
    await run((signal) => follow(next.value, signal));
  }

  /** Asks for what has come since. Where that is more than a page, the list begins with that page anew. */
  async function refresh(): Promise<void> {
    const [newest] = rows.value;
    if (newest === undefined) return run((signal) => follow(null, signal));
    if (isLoading.value) return;
    await run(async (signal) => {
      const answer = await ask(null, signal);
      if (signal.aborted) return;
      const place = answer.rows.findIndex((row) => keyOf(row) === keyOf(newest));
      if (place >= 0) return add(answer.rows.slice(0, place));
      rows.value = answer.rows;
      next.value = answer.next;
    });
  }

  /** Puts what is new, newest first, before the rest. */
  function add(newer: readonly Row[]): void {
    if (newer.length === 0) return;
    const all = joined(newer, rows.value);
    const last = all.length > most && cursorOf ? all[kept - 1] : undefined;
    rows.value = last === undefined ? all : all.slice(0, kept);
    if (last !== undefined && cursorOf) next.value = cursorOf(last);
  }

  watch(sources, restart);
  const stop = useLive().on('connected', () => void refresh());
  onScopeDispose(() => {
    stop();
    current?.abort();
  });
  restart();
  return { rows, failure, isLoading, isLoaded, isTired, hasOlder, loadOlder, refresh, add };
}
