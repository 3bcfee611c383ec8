/** What one check of `davit doctor` found. */
export interface Finding {
  /** What was looked at. */
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** What to do about it; null where nothing is to be done, or the message says it. */
  readonly advice: string | null;
}

export function ok(check: string, message: string): Finding {
  return { check, state: 'ok', message, advice: null };
}

export function warning(check: string, message: string, advice: string | null = null): Finding {
  return { check, state: 'warning', message, advice };
}

export function problem(check: string, message: string, advice: string | null = null): Finding {
  return { check, state: 'problem', message, advice };
}
