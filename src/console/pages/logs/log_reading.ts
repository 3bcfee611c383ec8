import { computed, onMounted, onUnmounted, shallowRef, watch } from 'vue';
import { useLive } from '../../stores/live.ts';
import { useLogAddress } from './log_address.ts';
import { LogFeed, type LogQuestion } from './log_feed.ts';
import { logSource } from './log_source.ts';
import type { Entry } from './log_window.ts';

/** Whose lines are read. */
interface Wanted {
  readonly services: readonly string[];
  readonly instance?: number | undefined;
  readonly release?: number | undefined;
}

/** A page that nobody sees keeps its stream for so long, in milliseconds. */
const hiddenPatience = 60_000;

/** Reads what is wanted, filtered and from where the address says. */
export function useLogReading(wanted: () => Wanted) {
  const { address, filter, change } = useLogAddress();
  const feed = new LogFeed();
  /** What the address leads to, as soon as it is there; undefined: it is not there any more. */
  const place = shallowRef<Entry | null | undefined>(null);
  const key = computed(() => JSON.stringify(wanted()));
  const question = computed<LogQuestion>(() => {
    const { services, instance, release } = JSON.parse(key.value) as Wanted;
    return { source: logSource(services, instance, release), filter: filter.value };
  });
  let isLeft = false;

  async function open(): Promise<void> {
    const { time, line } = address.value;
    place.value = null;
    await feed.open(question.value, time, line);
    if (time === '' || feed.state.value !== 'loaded' || address.value.time !== time) return;
    const found =
      line === '' ? null : feed.window.find((one) => one.line?.cursor === line && one.line.time === time);
    const first = feed.window.find((one) => one.line !== null && one.line.time >= time);
    place.value = found ?? (line === '' ? (first ?? feed.window.at(feed.window.endId - 1)) : undefined);
  }

  async function follow(): Promise<void> {
    if (address.value.time === '') await feed.follow();
    else await change({ time: '', line: '' });
  }

  watch(
    [question, () => address.value.time, () => address.value.line],
    () => {
      if (isLeft) isLeft = false;
      else void open();
    },
    { immediate: true },
  );
  // Whoever came to the end from a time is not at that time any more.
  watch(feed.isFollowing, (isFollowing) => {
    if (!isFollowing || feed.state.value !== 'loaded' || address.value.time === '') return;
    isLeft = true;
    void change({ time: '', line: '' });
  });

  const stop = useLive().on('connected', () => {
    const status = feed.failure.value?.status;
    if (status === null || (status !== undefined && status >= 500)) void open();
  });
  let hiding: ReturnType<typeof setTimeout> | undefined;
  function onVisibility(): void {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(() => feed.sleep(), hiddenPatience);
    else feed.wake();
  }
  onMounted(() => document.addEventListener('visibilitychange', onVisibility));
  onUnmounted(() => {
    document.removeEventListener('visibilitychange', onVisibility);
    clearTimeout(hiding);
    stop();
    feed.close();
  });

  return { feed, address, filter, question, place, change, open, follow };
}
