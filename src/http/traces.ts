import { AsyncLocalStorage } from 'node:async_hooks';
import type { RequestHandler } from 'express';
import { parseTraceparent } from '../lib/trace_context.ts';

interface TracedCall {
  readonly trace_id: string;
  /**
   * Whether it has been done. What began meanwhile, such as a process, may still call back in its name much later, and what
   * happens then is not its doing any more.
   */
  isOver: boolean;
}

/** Which W3C trace a call of the API belongs to, for everything that happens because of it until it is done. */
export class Traces {
  readonly #calls = new AsyncLocalStorage<TracedCall | null>();

  /** The id of the trace in which what happens now comes about; null: of none. */
  get current(): string | null {
    const call = this.#calls.getStore() ?? null;
    return call === null || call.isOver ? null : call.trace_id;
  }

  /** Does the work of a call in the trace that its `traceparent` names; to be used where it is known who calls. */
  within(handler: RequestHandler): RequestHandler {
    return (request, response, next) => {
      const trace_id = parseTraceparent(request.get('traceparent'))?.trace_id;
      if (trace_id === undefined) return this.#calls.run(null, () => handler(request, response, next));
      response.locals['trace_id'] = trace_id;
      const call: TracedCall = { trace_id, isOver: false };
      return this.#calls.run(call, async () => {
        try {
          await handler(request, response, next);
        } finally {
          call.isOver = true;
        }
      });
    };
  }
}
