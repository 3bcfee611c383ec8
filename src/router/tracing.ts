import type { TraceMode } from '../contract/routing_table.ts';
import { formatTraceparent, NewTraces, parseTraceparent, type TraceContext } from '../lib/trace_context.ts';
import type { RoutedRequest } from '../routing/request.ts';
import { type Fields, valuesOf, without } from './fields.ts';

/** What becomes of requests that name no trace. A trace that a client names is never touched. */
export class Tracing {
  readonly #traces = new NewTraces();
  #mode: TraceMode = 'carry';

  apply(mode: TraceMode): void {
    this.#mode = mode;
  }

  /** Whether a request without a trace gets one. */
  get isStarting(): boolean {
    return this.#mode === 'start' || this.#mode === 'start_sampled';
  }

  /** A trace for a request with these fields; null: it has one, or is to have none. */
  startFor(fields: Fields): TraceContext | null {
    if (!this.isStarting || traceOf(fields) !== null) return null;
    return this.#start();
  }

  /** The same for a plain request; `not_valid`: what it says of a trace has to be taken out first. */
  startForPlain(request: Pick<RoutedRequest, 'header'>): TraceContext | 'not_valid' | null {
    const given = request.header('traceparent');
    if (given === undefined && request.header('tracestate') === undefined) return this.#start();
    return parseTraceparent(given) === null ? 'not_valid' : null;
  }

  #start(): TraceContext {
    return this.#traces.next(this.#mode === 'start_sampled');
  }
}

/** The trace that a request names; null: none, or not in a valid way. */
export function traceOf(fields: Fields): TraceContext | null {
  const values = valuesOf(fields, 'traceparent');
  return values.length === 1 ? parseTraceparent(values[0]) : null;
}

/** The fields with this trace in place of what they say of one. A `tracestate` without a valid trace means nothing (3.3). */
export function withTrace(fields: Fields, trace: TraceContext): Fields {
  const others = without('tracestate', without('traceparent', fields));
  return [...others, 'traceparent', formatTraceparent(trace)];
}
