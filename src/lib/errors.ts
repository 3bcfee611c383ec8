/** One place of a bad input: `path` such as `stop.timeout`, and what is wrong there. */
export interface ErrorDetail {
  readonly path: string;
  readonly message: string;
  /** Where in a file, both from 1. */
  readonly line?: number;
  readonly column?: number;
}

interface DavitErrorOptions {
  readonly cause?: unknown;
  /** Each place of a bad input. */
  readonly details?: readonly ErrorDetail[];
  /** Fields that the answer carries beside `error` and `code`, such as the exit code of a failed deploy. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/**
 * The one error that is meant for the caller: `code` is stable, `message` is a sentence that says
 * what was wrong and what would be right. Anything else that is thrown is answered as `internal`.
 */
export class DavitError<Code extends string = string> extends Error {
  override readonly name = 'DavitError';
  readonly code: Code;
  readonly details: readonly ErrorDetail[];
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(code: Code, message: string, options: DavitErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? [];
    this.fields = options.fields ?? {};
  }
}

/** The `code` of a system error such as ENOENT, or '' when it has none. */
export function systemErrorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** What went wrong, as one line: the message of an Error, or the thing as text. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
