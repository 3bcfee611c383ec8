import { ref, shallowRef } from 'vue';
import type { MergedLine } from '../../../contract/merged_logs.ts';
import { type ApiFailure, failureOf } from '../../api/failure.ts';
import { type LogFilter, type LogSource, loadPage, type SourcePage } from './log_source.ts';
import { LogStream, type StreamBatch } from './log_stream.ts';
import { LogWindow } from './log_window.ts';

/** What is asked for at once, in lines. */
const pageLines = 1_000;
/** So many lines that came while nobody follows are kept; then they are only counted, and loaded when they are wanted. */
const mostHeld = 20_000;
/** What came is shown at most so often, in milliseconds. */
const showInterval = 100;

/** What is being read: whose lines, and which of them. */
export interface LogQuestion {
  readonly source: LogSource;
  readonly filter: LogFilter;
}

/**
 * What a viewer shows of a log: a window, which follows the end of the log by a stream, or stands anywhere in it and is
 * moved page by page. It is at the end (`end` is `live`) as long as all that comes can be put behind it.
 */
export class LogFeed {
  readonly window = new LogWindow();
  /** Grows when the window has changed. */
  readonly version = ref(0);
  readonly isFollowing = ref(true);
  /** How many lines came that the window does not hold. */
  readonly newer = ref(0);
  /** What lies before the window, and after it. */
  readonly begin = ref<'all' | 'more' | 'loading'>('all');
  readonly end = ref<'live' | 'more' | 'loading'>('more');
  readonly state = ref<'closed' | 'loading' | 'loaded'>('closed');
  /** Whether the stream is broken off. */
  readonly isLost = ref(false);
  readonly failure = shallowRef<ApiFailure | null>(null);
  #question: LogQuestion | null = null;
  #loading = new AbortController();
  #stream: LogStream | null = null;
  #held: (StreamBatch & { before: string })[] = [];
  #incoming: StreamBatch[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins anew, at the end, or around a time (RFC 3339) and the line with a cursor. */
  async open(question: LogQuestion, time = '', line = ''): Promise<void> {
    this.close();
    this.#question = question;
    this.state.value = 'loading';
    this.window.clear();
    this.version.value += 1;
    await (time === '' ? this.#loadNewest() : this.#loadAround(time, line));
  }

  close(): void {
    this.#loading.abort();
    this.#loading = new AbortController();
    this.#leave();
    this.#question = null;
    this.state.value = 'closed';
    this.failure.value = null;
    this.newer.value = 0;
  }

  pause(): void {
    this.isFollowing.value = false;
  }

  /** Shows the newest lines from now on. */
  async follow(): Promise<void> {
    this.isFollowing.value = true;
    if (this.end.value === 'live') this.#takeHeld();
    else await this.#loadNewest();
  }

  /** Puts the lines before the window into it. */
  async earlier(): Promise<void> {
    const { before } = this.window;
    if (this.begin.value !== 'more' || before === null) return;
    this.begin.value = 'loading';
    const { signal } = this.#loading;
    const page = await this.#load({ before });
    if (signal.aborted) return;
    this.begin.value = page === null || page.truncated ? 'more' : 'all';
    if (page === null) return;
    this.window.prepend(page);
    if (this.window.dropNewest()) this.#detach();
    this.version.value += 1;
  }

  /** Puts the lines after the window into it. */
  async later(): Promise<void> {
    const { after } = this.window;
    if (this.end.value === 'live') return this.#takeHeld();
    if (this.end.value !== 'more' || after === null) return;
    this.end.value = 'loading';
    const { signal } = this.#loading;
    const page = await this.#load({ after });
    if (signal.aborted) return;
    this.end.value = 'more';
    if (page === null) return;
    this.#append(page);
    if (!page.truncated) this.#join(page.after);
  }

  /** Lets go of the stream, for a page that nobody sees. */
  sleep(): void {
    this.#stream?.close();
    this.#stream = null;
  }

  /** Somebody looks again, or the agent is there again after a long time. */
  wake(): void {
    if (this.#stream !== null || this.#question === null || this.state.value !== 'loaded') return;
    if (this.isFollowing.value) void this.#loadNewest();
    else if (this.end.value === 'live') this.#detach();
  }

  async #loadNewest(): Promise<void> {
    this.#loading.abort();
    this.#loading = new AbortController();
    const page = await this.#load({});
    if (page === null) return;
    this.window.clear();
    this.isFollowing.value = true;
    this.begin.value = page.truncated ? 'more' : 'all';
    this.#append(page);
    this.#join(page.after);
    this.state.value = 'loaded';
  }

  async #loadAround(time: string, line: string): Promise<void> {
    this.isFollowing.value = false;
    // The cursor of a line is a place in its service, and none in several.
    const isExact = line !== '' && this.#question?.source.service !== null;
    const earlier = await this.#load(isExact ? { before: line } : { until: time });
    const later = earlier && (await this.#load({ after: isExact ? line : earlier.after }));
    if (!earlier || !later) return;
    this.window.clear();
    this.begin.value = earlier.truncated ? 'more' : 'all';
    this.end.value = 'more';
    this.#append(earlier);
    this.#append(later);
    if (!later.truncated) this.#join(later.after);
    this.state.value = 'loaded';
  }

  /** null where it failed, or is not wanted any more. */
  async #load(place: { before?: string; after?: string; until?: string }): Promise<SourcePage | null> {
    if (this.#question === null) return null;
    const { source, filter } = this.#question;
    const { signal } = this.#loading;
    try {
      const page = await loadPage(source, filter, { ...place, lines: pageLines }, signal);
      if (signal.aborted) return null;
      this.failure.value = null;
      return page;
    } catch (error) {
      if (!signal.aborted) this.failure.value = failureOf(error);
      return null;
    }
  }

  #append(piece: { lines: readonly MergedLine[]; before: string; after: string }): void {
    this.window.append(piece);
    if (this.window.dropOldest()) this.begin.value = 'more';
    this.version.value += 1;
  }

  /** From a place on, what comes can be put behind the window. */
  #join(after: string): void {
    if (this.#question === null) return;
    this.#leave();
    this.end.value = 'live';
    this.newer.value = 0;
    const { source, filter } = this.#question;
    this.#stream = new LogStream(source, filter, after, {
      onBatch: (batch) => this.#take(batch),
      onLive: (isLive) => {
        this.isLost.value = !isLive;
      },
      onStale: () => {
        this.#stream = null;
        this.wake();
      },
      onRefused: (failure) => {
        this.failure.value = failure;
      },
    });
  }

  /** What comes cannot be put behind the window any more: it is only counted. */
  #detach(): void {
    this.#held = [];
    this.end.value = 'more';
  }

  #leave(): void {
    this.#stream?.close();
    this.#stream = null;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#held = [];
    this.#incoming = [];
    this.isLost.value = false;
  }

  #take(batch: StreamBatch): void {
    this.#incoming.push(batch);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#show();
    }, showInterval);
  }

  #show(): void {
    const batches = this.#incoming;
    this.#incoming = [];
    if (this.end.value === 'live') {
      for (const batch of batches) {
        this.#held.push({ ...batch, before: this.#held.at(-1)?.after ?? this.window.after ?? batch.after });
      }
    }
    this.newer.value += batches.reduce((sum, { lines }) => sum + lines.length, 0);
    if (this.isFollowing.value && this.end.value === 'live') this.#takeHeld();
    else if (this.newer.value > mostHeld) this.#detach();
  }

  #takeHeld(): void {
    for (const batch of this.#held) this.window.append(batch);
    this.#held = [];
    this.newer.value = 0;
    if (this.window.dropOldest()) this.begin.value = 'more';
    this.version.value += 1;
  }
}
