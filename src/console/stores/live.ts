import { defineStore } from 'pinia';
import { ref } from 'vue';
import { addressOf } from '../api/client.ts';
import type { LiveMessages } from '../api/live_messages.ts';
import { useSession } from './session.ts';

type Name = keyof LiveMessages;
type Listener = (data: never) => void;

/** How long it takes until a stream that ended is opened again, at first and at most, in milliseconds. */
const firstPause = 500;
const longestPause = 5_000;
/** How long a page that nobody sees keeps its stream, in milliseconds: a browser has few connections for all its pages. */
const hiddenPatience = 60_000;
const names: readonly Name[] = ['event', 'service', 'stats', 'alerts', 'deployment', 'skipped'];

/**
 * The one stream of everything that moves. It is opened again when it ends, and goes on after the last event that came;
 * `connected` listeners are told each time, and load what they show: what happens from then on comes by the stream.
 */
export const useLive = defineStore('live', () => {
  const state = ref<'closed' | 'connecting' | 'live' | 'lost'>('closed');
  /** When it was lost, in milliseconds since 1970. */
  const lostSince = ref<number | null>(null);
  const listeners = new Map<Name | 'connected', Set<Listener>>();
  let source: EventSource | null = null;
  let lastEvent = '';
  let pause = firstPause;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hiding: ReturnType<typeof setTimeout> | undefined;

  function on<N extends Name>(name: N, listener: (data: LiveMessages[N]) => void): () => void;
  function on(name: 'connected', listener: () => void): () => void;
  function on(name: Name | 'connected', listener: Listener): () => void {
    const those = listeners.get(name) ?? new Set();
    listeners.set(name, those.add(listener));
    return () => those.delete(listener);
  }

  function tell(name: Name | 'connected', data: unknown): void {
    for (const listener of listeners.get(name) ?? []) listener(data as never);
  }

  function open(): void {
    if (source !== null) return;
    clearTimeout(timer);
    if (state.value !== 'lost') state.value = 'connecting';
    const opened = new EventSource(addressOf('/live', { after: lastEvent }));
    source = opened;
    opened.onopen = () => {
      state.value = 'live';
      lostSince.value = null;
      pause = firstPause;
      tell('connected', undefined);
      // It is of whoever has signed in with this browser last, maybe since that was asked.
      void useSession()
        .load()
        .catch(() => undefined);
    };
    opened.onerror = () => lose();
    for (const name of names) {
      opened.addEventListener(name, (message: MessageEvent<string>) => {
        if (name === 'event') lastEvent = message.lastEventId;
        tell(name, JSON.parse(message.data));
      });
    }
  }

  /** The stream does not say why it ended: the agent may be gone, or the session over. */
  function lose(): void {
    source?.close();
    source = null;
    if (state.value === 'closed') return;
    state.value = 'lost';
    lostSince.value ??= Date.now();
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const session = useSession();
      await session.load().catch(() => undefined);
      if (state.value === 'closed' || !session.isSignedIn) return;
      open();
    }, pause);
    pause = Math.min(pause * 2, longestPause);
  }

  function close(): void {
    clearTimeout(timer);
    source?.close();
    source = null;
    state.value = 'closed';
    lostSince.value = null;
    lastEvent = '';
  }

  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding);
    if (state.value === 'closed') return;
    if (document.hidden) {
      hiding = setTimeout(() => {
        clearTimeout(timer);
        source?.close();
        source = null;
      }, hiddenPatience);
    } else open();
  });

  /** Asks again at once, where it would wait. */
  function retry(): void {
    pause = firstPause;
    clearTimeout(timer);
    if (state.value === 'lost') open();
  }

  return { state, lostSince, on, open, close, retry };
});
