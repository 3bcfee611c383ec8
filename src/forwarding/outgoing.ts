import type { FeedLine } from '../logs/log_feed.ts';
import type { Source } from './source.ts';

/** A line as it goes out. */
export interface Outgoing {
  readonly source: Source;
  /** The place after it in the output of its service. */
  readonly cursor: string;
  readonly text: string;
  /** What it belongs to at the receiver, where that matters; '' else. */
  readonly stream: string;
  /** Since the epoch, where the receiver wants times that differ. */
  readonly nanoseconds?: bigint;
  /** About how much of a request it takes. */
  readonly bytes: number;
}

/** A line in the form that a receiver takes. */
export type Rendered = Pick<Outgoing, 'text' | 'stream' | 'nanoseconds' | 'bytes'>;

/** Puts a line into the form that a receiver takes. */
export type Render = (service: string, line: FeedLine) => Rendered;

/** How far each service has got, by the last of some lines in their order. */
export type Marks = ReadonlyMap<Source, string>;

export function marksOf(lines: readonly Outgoing[]): Marks {
  return new Map(lines.map(({ source, cursor }) => [source, cursor]));
}
