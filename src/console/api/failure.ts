import type { ErrorAnswer } from '../../contract/error_answer.ts';

/** What an answer that is an error tells. */
interface Told extends Partial<Pick<ErrorAnswer, 'details' | 'last_lines' | 'request_id' | 'restored'>> {
  readonly error: string;
  readonly code: string;
  /** Of a notifier that was tested. */
  readonly answer?: string;
}

/** A call that did not do what it was made for: refused by the agent, or not heard by it. */
export class ApiFailure extends Error {
  /** The code of the answer; `agent_unreachable` where there was none. */
  readonly code: string;
  /** null: there was no answer. */
  readonly status: number | null;
  readonly request_id: string | null;
  readonly details: NonNullable<ErrorAnswer['details']>;
  /** The last lines that the process of a failed deploy wrote. */
  readonly last_lines: readonly string[];
  /** What runs again after a failed deploy; null: nothing ran before; undefined: it was no deploy. */
  readonly restored: ErrorAnswer['restored'];
  /** What the receiver of a notification said; empty: nothing, or nothing for this key. */
  readonly answer: string;

  constructor(status: number | null, answer: Told) {
    super(answer.error);
    this.name = 'ApiFailure';
    this.status = status;
    this.code = answer.code;
    this.request_id = answer.request_id ?? null;
    this.details = answer.details ?? [];
    this.last_lines = answer.last_lines ?? [];
    this.restored = answer.restored;
    this.answer = answer.answer ?? '';
  }
}

/** What went wrong, whatever was thrown. */
export function failureOf(error: unknown): ApiFailure {
  if (error instanceof ApiFailure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ApiFailure(null, { error: message, code: 'internal' });
}
