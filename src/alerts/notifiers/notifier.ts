import type { Notification } from '../../contract/alerts.ts';

/** Where notifications are handed over. What is taken is kept until it is delivered or too old, also over an end of the agent. */
export interface Outbox {
  /** The names of the notifiers that are to be told of this: of those named, or of all, those whose services and severities fit. */
  readonly recipients: (wanted: {
    readonly notify: readonly string[] | null;
    readonly service: string | null;
    readonly severity: string;
    readonly status: 'firing' | 'resolved';
  }) => readonly string[];
  /** Returns at once; one notifier never waits for another. */
  readonly post: (notifier: string, notification: Notification) => void;
}

/** What a receiver made of a notification that it took. */
export interface Delivered {
  /** `status 200`: for everybody who may see notifiers. */
  readonly outcome: string;
  /** The beginning of what the receiver said, for administrators alone. */
  readonly answer: string;
  /** What should be told although it arrived, such as recipients that were refused; null: nothing. */
  readonly problem: string | null;
}

/** One try to deliver. Throws a DeliveryFailure, which says whether another try can help. */
export interface Notifier {
  readonly name: string;
  readonly deliver: (notification: Notification, signal: AbortSignal) => Promise<Delivered>;
}
