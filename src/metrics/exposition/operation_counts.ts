import { Counter, Histogram, type Registry } from 'prom-client';

/** A call of the API that has ended. */
export interface EndedCall {
  /** The operation id; `unknown` of what is no operation. */
  readonly operation: string;
  /** The HTTP status; 499 where the caller hung up before it had the answer. */
  readonly status: number;
  /** null: it was a stream, which lasts for as long as somebody looks. */
  readonly seconds: number | null;
}

const outcomes = ['succeeded', 'denied', 'invalid', 'failed', 'hung_up'] as const;
type Outcome = (typeof outcomes)[number];

/** In seconds: from what is answered from memory to a deploy that waits for its proof. */
const durationBounds = [0.005, 0.02, 0.1, 0.5, 2, 10, 60];

/** Counts the calls of the API by operation and outcome: both have few values, whatever callers send. */
export class OperationCounts {
  readonly #calls: Counter<'operation' | 'outcome'>;
  readonly #durations: Histogram<'operation' | 'outcome'>;
  #errors = 0;

  constructor(registry: Registry) {
    const options = { labelNames: ['operation', 'outcome'] as const, registers: [registry] };
    this.#calls = new Counter({
      ...options,
      name: 'davit_agent_operations_total',
      help: 'Calls of the API, by operation and outcome.',
    });
    this.#durations = new Histogram({
      ...options,
      name: 'davit_agent_operation_duration_seconds',
      help: 'How long calls of the API took, without streams.',
      buckets: durationBounds,
    });
  }

  /** How many were answered with 500 or above. */
  get errors(): number {
    return this.#errors;
  }

  take({ operation, status, seconds }: EndedCall): void {
    const labels = { operation, outcome: outcomeOf(status) };
    this.#calls.inc(labels);
    if (seconds !== null) this.#durations.observe(labels, seconds);
    if (status >= 500) this.#errors += 1;
  }
}

/** What was tried and failed is told apart from what was asked wrongly (422: the deploy was tried, and nothing has changed). */
function outcomeOf(status: number): Outcome {
  if (status < 400) return 'succeeded';
  if (status === 499) return 'hung_up';
  if (status === 401 || status === 403 || status === 429) return 'denied';
  return status === 422 || status >= 500 ? 'failed' : 'invalid';
}
