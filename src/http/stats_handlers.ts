import type { operations as contract } from '../contract/operations.ts';
import { isSet } from '../contract/query.ts';
import type { Stats } from '../contract/stats.ts';
import type { StatsView } from '../metrics/stats_view.ts';
import { allows } from './permission.ts';
import type { Handler } from './route.ts';

/** What the route on how everything stands calls: it tells of the services that the key may read, and of the host who may read all. */
export function statsHandler(
  view: Pick<StatsView, 'look'>,
  agent: Pick<Stats['agent'], 'version' | 'hostname' | 'started_at'>,
): Handler<(typeof contract)['showStats']> {
  return ({ query: { usage }, principal }) =>
    view.look({
      agent,
      shows: (service) => allows(principal, 'read', service),
      shows_host: allows(principal, 'read', null),
      shows_usage: isSet(usage),
    });
}
