import type { Notification } from '../contract/alerts.ts';

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

/** One try to deliver. Throws what hindered it; `retry` of it says whether another try can help. */
export interface Notifier {
  readonly name: string;
  /** Returns the beginning of what the receiver said. */
  readonly deliver: (notification: Notification, signal: AbortSignal) => Promise<string>;
  readonly close: () => void;
}
