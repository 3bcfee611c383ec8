import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { LogLine, SkippedOutput } from '../../../contract/logs.ts';
import type { MergedLine, MergedLines, SkippedServiceOutput } from '../../../contract/merged_logs.ts';
import { addressOf } from '../../api/client.ts';
import { ApiFailure, failureOf } from '../../api/failure.ts';
import type { LogFilter, LogSource } from './log_source.ts';

/** What came at once. */
export interface StreamBatch {
  readonly lines: readonly MergedLine[];
  readonly skipped: readonly SkippedServiceOutput[];
  /** The place after it. */
  readonly after: string;
}

interface Listener {
  onBatch(batch: StreamBatch): void;
  /** It goes on, or it is broken off and will be tried again. */
  onLive(isLive: boolean): void;
  /** It could go on, but after so long a time there may be far too much; it is closed. */
  onStale(): void;
  /** It cannot go on, whatever is tried. */
  onRefused(failure: ApiFailure): void;
}

/** How long it takes until it is tried again, at first and at most, in milliseconds. */
const firstPause = 500;
const longestPause = 5_000;
/** An agent that says nothing for so long is gone, in milliseconds: it says that it is there every 15 seconds. */
const longestSilence = 40_000;
/** What was written in so many milliseconds without a stream is still read through it. */
const longestGap = 30_000;

/** What comes after a place, until it is closed; when it breaks off it goes on after what came last. */
export class LogStream {
  readonly #source: LogSource;
  readonly #filter: LogFilter;
  readonly #listener: Listener;
  readonly #end = new AbortController();
  #after: string;
  #pause = firstPause;
  #lostAt: number | null = null;

  constructor(source: LogSource, filter: LogFilter, after: string, listener: Listener) {
    this.#source = source;
    this.#filter = filter;
    this.#after = after;
    this.#listener = listener;
    void this.#run();
  }

  close(): void {
    this.#end.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        await this.#read();
      } catch (error) {
        const failure = failureOf(error);
        if (signal.aborted) return;
        if (isFinal(failure)) return this.#listener.onRefused(failure);
      }
      if (signal.aborted) return;
      this.#lostAt ??= Date.now();
      this.#listener.onLive(false);
      await new Promise((resolve) => setTimeout(resolve, this.#pause));
      this.#pause = Math.min(this.#pause * 2, longestPause);
    }
  }

  async #read(): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), longestSilence);
    try {
      const { path, query } = this.#source;
      const address = addressOf(path, { ...query, ...this.#filter, after: this.#after, follow: 'true' });
      const response = await fetch(address, { signal: AbortSignal.any([this.#end.signal, silence.signal]) });
      if (!response.ok || response.body === null)
        throw new ApiFailure(response.status, await response.json());
      if (this.#lostAt !== null && Date.now() - this.#lostAt > longestGap) {
        this.close();
        return this.#listener.onStale();
      }
      this.#lostAt = null;
      this.#listener.onLive(true);
      this.#pause = firstPause;
      const take = this.#taker();
      for (const reader = response.body.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done || this.#end.signal.aborted) return;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), longestSilence);
        take(value);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Takes pieces of the stream as they come; all that is whole in one is one batch. */
  #taker(): (text: string) => void {
    const service = this.#source.service ?? '';
    let lines: MergedLine[] = [];
    let skipped: SkippedServiceOutput[] = [];
    const flush = () => {
      if (lines.length + skipped.length > 0) this.#listener.onBatch({ lines, skipped, after: this.#after });
      [lines, skipped] = [[], []];
    };
    const onEvent = ({ event, id, data }: EventSourceMessage) => {
      if (event === 'lines') lines.push(...(JSON.parse(data) as MergedLines).lines);
      if (event === 'line') lines.push({ service, ...(JSON.parse(data) as LogLine) });
      if (event === 'skipped') {
        // What was missed lies between lines, and not after all of them.
        flush();
        skipped.push({ service, ...(JSON.parse(data) as SkippedOutput) });
      }
      if (id) this.#after = id;
    };
    const parser = createParser({ onEvent });
    return (text) => {
      parser.feed(text);
      flush();
    };
  }
}

/** Whether it would be refused again: the question is wrong, or it may not be asked. */
function isFinal({ status }: ApiFailure): boolean {
  return status !== null && status >= 400 && status < 500 && status !== 429;
}
