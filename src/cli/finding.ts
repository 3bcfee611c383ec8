import type { Finding } from '../contract/doctor.ts';

export function ok(check: string, message: string): Finding {
  return { check, state: 'ok', message, advice: null };
}

export function warning(check: string, message: string, advice: string | null = null): Finding {
  return { check, state: 'warning', message, advice };
}

export function problem(check: string, message: string, advice: string | null = null): Finding {
  return { check, state: 'problem', message, advice };
}
