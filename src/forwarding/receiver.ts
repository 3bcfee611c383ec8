import type { Marks, Outgoing, Render } from './outgoing.ts';

/** Where the lines of one target go. */
export interface Receiver {
  readonly render: Render;
  /** How much goes at once, in bytes. */
  readonly batchSize: number;
  /**
   * Sends lines, of which some may have been sent before. Resolves when it can take the next ones; what has arrived is told by
   * `onArrived`. Throws `Refused` where another try cannot help, and anything else where it can.
   */
  send(lines: readonly Outgoing[], signal: AbortSignal): Promise<void>;
  /** Waits a moment for what is under way to arrive, and ends. */
  close(): Promise<void>;
}

/** What a receiver tells. */
export interface ReceiverEvents {
  /** Up to here everything has arrived. Always in the order in which it was sent. */
  readonly onArrived: (marks: Marks) => void;
  /** What was sent and has not arrived will not arrive. */
  readonly onBroken: (message: string) => void;
}

/** The receiver does not want these lines, and will not want them later. */
export class Refused extends Error {
  override readonly name = 'Refused';
  /** Whether they are too much at once. */
  readonly isTooLarge: boolean;

  constructor(message: string, isTooLarge: boolean) {
    super(message);
    this.isTooLarge = isTooLarge;
  }
}

/** The receiver cannot take lines now, and says when it can. */
export class NotNow extends Error {
  override readonly name = 'NotNow';
  /** In milliseconds; null: it did not say. */
  readonly retryAfter: number | null;

  constructor(message: string, retryAfter: number | null) {
    super(message);
    this.retryAfter = retryAfter;
  }
}
