import { randomFillSync } from 'node:crypto';

/** Where in a trace a request stands, as a W3C `traceparent` says it (Trace Context, Level 1). */
export interface TraceContext {
  /** 32 hexadecimal digits, not all 0. */
  readonly trace_id: string;
  /** Of the span that the request is sent in: 16 hexadecimal digits, not all 0. */
  readonly parent_id: string;
  /** Whether the caller may have recorded it. */
  readonly is_sampled: boolean;
}

/** How much of a `traceparent` every version has: version, trace id, parent id and flags. */
const length = 55;
const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/;
const onlyZeros = /^0+$/;
/** Not to be used (3.2.2.1). */
const forbiddenVersion = 'ff';
const sampled = 1;

/**
 * Reads the value of a `traceparent`. Of a version that comes after 00, whatever follows the part that 00 has is passed
 * over (3.2.4). Null where there is none, it is not valid, or there are several, joined by commas.
 */
export function parseTraceparent(value: string | null | undefined): TraceContext | null {
  if (value == null || value.length < length) return null;
  const [, version = '', trace_id = '', parent_id = '', flags = ''] = form.exec(value) ?? [];
  if (version === '' || version === forbiddenVersion || value.includes(',')) return null;
  if (version === '00' && value.length !== length) return null;
  if (onlyZeros.test(trace_id) || onlyZeros.test(parent_id)) return null;
  return { trace_id, parent_id, is_sampled: (Number.parseInt(flags, 16) & sampled) !== 0 };
}

export function formatTraceparent({ trace_id, parent_id, is_sampled }: TraceContext): string {
  return `00-${trace_id}-${parent_id}-${is_sampled ? '01' : '00'}`;
}

/** Bytes of a trace id and of a parent id. */
const traceBytes = 16;
const idBytes = traceBytes + 8;

/** Begins traces: as random as what the system gives, which is asked for many at a time, as it costs more than all else. */
export class NewTraces {
  readonly #random = Buffer.alloc(idBytes * 128);
  #at = this.#random.length;

  next(is_sampled: boolean): TraceContext {
    if (this.#at === this.#random.length) {
      randomFillSync(this.#random);
      this.#at = 0;
    }
    const digits = this.#random.toString('hex', this.#at, this.#at + idBytes);
    this.#at += idBytes;
    const trace_id = digits.slice(0, 2 * traceBytes);
    const parent_id = digits.slice(2 * traceBytes);
    if (onlyZeros.test(trace_id) || onlyZeros.test(parent_id)) return this.next(is_sampled);
    return { trace_id, parent_id, is_sampled };
  }
}
