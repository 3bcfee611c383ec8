import { onScopeDispose, shallowRef } from 'vue';
import type { BatchResult } from '../../../contract/batch.ts';
import type { EventType } from '../../../contract/events.ts';
import { api } from '../../api/client.ts';
import { type ApiFailure, failureOf } from '../../api/failure.ts';
import { useLive } from '../../stores/live.ts';

export type BulkOperation = 'start' | 'stop' | 'restart' | 'delete';

/** One operation on several services, under way or over. */
export interface Bulk {
  readonly operation: BulkOperation;
  readonly ids: readonly string[];
  /** Of which an end was heard already. */
  readonly ended: ReadonlySet<string>;
  /** null: under way, or failed as a whole. */
  readonly result: BatchResult | null;
  readonly failure: ApiFailure | null;
}

/** What tells that a service has come to an end of it. */
const ends: Readonly<Record<BulkOperation, readonly EventType[]>> = {
  start: ['service.started', 'service.exited', 'service.start_failed'],
  restart: ['service.started', 'service.start_failed'],
  stop: ['service.stopped', 'service.exited'],
  delete: ['service.deleted'],
};

/** Does one thing to many services in one call, which takes their dependencies into account, and keeps what came of it. */
export function useBulk() {
  const bulk = shallowRef<Bulk | null>(null);

  const stop = useLive().on('event', ({ service, type }) => {
    if (bulk.value === null || service === null) return;
    const { operation, ids, ended, result } = bulk.value;
    if (result !== null || !ids.includes(service) || !ends[operation].includes(type)) return;
    bulk.value = { ...bulk.value, ended: new Set([...ended, service]) };
  });
  onScopeDispose(stop);

  /** Its outcome is shown also where one has closed what shows how it goes, unless something else is under way then. */
  async function run(operation: BulkOperation, ids: readonly string[]): Promise<void> {
    const begun: Bulk = { operation, ids, ended: new Set(), result: null, failure: null };
    bulk.value = begun;
    const end = (part: Partial<Bulk>) => {
      if (bulk.value === null || bulk.value.ids === ids) bulk.value = { ...begun, ...part };
    };
    try {
      const operations = ids.map((service) => ({ operation, service }));
      end({ result: await api.post<BatchResult>('/batch', { body: { operations }, timeout_ms: null }) });
    } catch (error) {
      end({ failure: failureOf(error) });
    }
  }

  function close(): void {
    bulk.value = null;
  }

  return { bulk, run, close };
}
