import type { operations as contract } from '../contract/operations.ts';
import { isSet } from '../contract/query.ts';
import type { Stats } from '../contract/stats.ts';
import type { StatsView } from '../metrics/stats_view.ts';
import { allows, type Principal } from './permission.ts';
import type { Handler } from './route.ts';

type View = Pick<StatsView, 'look'>;
type Identity = Pick<Stats['agent'], 'version' | 'hostname' | 'started_at'>;

/** What the route on how everything stands calls. */
export function statsHandler(view: View, agent: Identity): Handler<(typeof contract)['showStats']> {
  return ({ query: { usage }, principal }) => visibleStats(view, agent, principal, isSet(usage));
}

/** How the services stand that a principal may read, and the host for who may read all. */
export function visibleStats(
  view: View,
  agent: Identity,
  principal: Principal,
  shows_usage: boolean,
): Promise<Stats> {
  return view.look({
    agent,
    shows: (service) => allows(principal, 'read', service),
    shows_host: allows(principal, 'read', null),
    shows_usage,
  });
}
