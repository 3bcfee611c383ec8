import type { TraceContext } from '../lib/trace_context.ts';
import type { RoutedRequest } from '../routing/request.ts';
import type { AccessLog } from './access_log.ts';
import type { AccessFailure, AccessRecord } from './access_record.ts';

/** What is noted of the request that is under way on a connection: in one record for all of its requests, as they come one after the other. */
export class RunningRecord {
  readonly #access: AccessLog;
  #own: AccessRecord | null = null;
  #record: AccessRecord | null = null;
  #request: RoutedRequest | null = null;

  constructor(access: AccessLog) {
    this.#access = access;
  }

  /** Null: nothing is to be noted. @param trace begun for the request by this router */
  begin(request: RoutedRequest, trace: TraceContext | null): AccessRecord | null {
    if (!this.#access.isOn) return null;
    const record = this.#access.begin(this.#own);
    if (record === null) return null;
    record.trace = trace;
    this.#own = record;
    this.#record = record;
    this.#request = request;
    return record;
  }

  /** The request is over. */
  end(failure: AccessFailure | null = null): void {
    if (this.#record === null) return;
    if (failure !== null) this.#record.failed(failure);
    this.#access.end(this.#record, this.#request as RoutedRequest, 'http/1.1');
    this.drop();
  }

  /** Somebody else serves the request, and notes it himself. */
  drop(): void {
    this.#record = null;
    this.#request = null;
  }
}
