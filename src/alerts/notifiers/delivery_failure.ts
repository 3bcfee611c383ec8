interface FailureOptions {
  /** Whether another try can help. */
  readonly retry: boolean;
  /** The receiver asks not to be tried again for so many milliseconds. */
  readonly retry_after_ms?: number;
  /** The beginning of what the receiver said, for administrators alone: it may tell of the inside of a network. */
  readonly answer?: string;
  readonly cause?: unknown;
}

/** Why a notification was not delivered. The message says nothing of what the receiver answered beyond its status. */
export class DeliveryFailure extends Error {
  override readonly name = 'DeliveryFailure';
  readonly retry: boolean;
  readonly retry_after_ms: number | null;
  readonly answer: string;

  constructor(message: string, options: FailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retry = options.retry;
    this.retry_after_ms = options.retry_after_ms ?? null;
    this.answer = options.answer ?? '';
  }
}

/** What was thrown by a try, as a failure; what is not known may be over the next time. */
export function toFailure(error: unknown): DeliveryFailure {
  if (error instanceof DeliveryFailure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new DeliveryFailure(message, { retry: true, cause: error });
}
