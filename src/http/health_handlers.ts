import type { PresentHealth } from '../contract/health.ts';
import type { operations as contract } from '../contract/operations.ts';
import type { PresentHealth as Present } from '../health/monitor.ts';
import type { HealthHistory } from '../services/health_history.ts';
import type { Registry } from '../services/registry.ts';
import { readMoment } from './log_handlers.ts';
import type { Handler } from './route.ts';

/** How many entries of the history are given when nobody says. */
const defaultLimit = 100;

/** The route on the health of a service: what its probes say, and what they said. */
export function healthHandler(
  registry: Pick<Registry, 'get'>,
  monitor: { readonly present: (service: string) => readonly Present[] },
  history: Pick<HealthHistory, 'list'>,
): Handler<(typeof contract)['serviceHealth']> {
  return async ({ path: { id }, query: { instance, kind, since, until, limit } }) => {
    registry.get(id);
    const wanted = {
      ...(instance !== undefined && { instance: Number(instance) }),
      ...(kind !== undefined && { kind }),
      ...(since !== undefined && { since: readMoment(since) }),
      ...(until !== undefined && { until: readMoment(until) }),
    };
    const isWanted = (each: Present) =>
      (wanted.instance ?? each.instance) === each.instance && (kind ?? each.kind) === each.kind;
    return {
      service: id,
      present: monitor.present(id).filter(isWanted).map(shown),
      history: history.list({ service: id, ...wanted, limit: Number(limit ?? defaultLimit) }),
    };
  };
}

function shown({ instance, kind, verdict, since, last }: Present): PresentHealth {
  const moment = (time: number) => new Date(time).toISOString();
  const lastProbe = last && {
    at: moment(last.at),
    success: last.success,
    message: last.message,
    duration_ms: Math.round(last.duration_ms * 10) / 10,
  };
  return { instance, kind, verdict, since: moment(since), last: lastProbe };
}
