import type { TableInstance, TableService } from '../contract/routing_table.ts';
import type { NewRule, Route, Rule } from '../contract/rules.ts';
import type { Spec } from '../contract/spec.ts';
import { milliseconds } from '../lib/units.ts';
import { type Instance, isReady } from '../services/instance.ts';
import type { Service } from '../services/service.ts';

/** What of a service is not in its record. */
interface ServiceView {
  /** The spec of its current release. */
  readonly spec: Spec;
  /** The tags of the spec by which an instance runs. */
  readonly tagsOf: (number: number) => readonly string[];
  /** Since when an instance takes connections, in milliseconds since the epoch. */
  readonly readyAt: (instance_id: string, started_at: number) => number;
}

/** What routers are to know of a service. */
export function tableService(service: Service, view: ServiceView): TableService {
  const { routing, rollout } = view.spec;
  return {
    id: service.id,
    routing,
    hold: rollout.hold ? milliseconds(rollout.hold_timeout) : null,
    shares: service.under_way?.shares?.map(({ release, weight }) => ({ release, weight })) ?? null,
    instances: service.instances.flatMap((instance) => tableInstance(instance, view) ?? []),
  };
}

/** Those that take requests, and those that finish what they have. */
function tableInstance(instance: Instance, { tagsOf, readyAt }: ServiceView): TableInstance | null {
  const { number, process, port, state, draining } = instance;
  if (process === null || port === null) return null;
  if (state !== 'draining' && !isReady(instance)) return null;
  const { instance_id, release, started_at } = process;
  return {
    id: instance_id,
    number,
    release,
    host: '127.0.0.1',
    port,
    tags: [...new Set([...tagsOf(number), `release:${release}`, `instance:${number}`])],
    ready_at: readyAt(instance_id, started_at),
    draining: state === 'draining' ? draining && { until: draining.until, spread: draining.spread } : null,
  };
}

/** The rules that the routes of a service make, which are always enabled. */
export function routeRules(service: string, routes: readonly Route[]): Rule[] {
  return routes.map(({ priority, rewrite_prefix, ...match }, index) => ({
    id: `${service}/${index + 1}`,
    enabled: true,
    priority,
    match,
    action: { type: 'route', service, rewrite_prefix },
    declared_by: service,
  }));
}

/** A rule of the rules API as it is shown. */
export function apiRule(rule: NewRule): Rule {
  return { ...rule, declared_by: null };
}

/** The services to which a rule leads. */
export function servicesOf({ action }: Pick<Rule, 'action'>): string[] {
  if (action.type === 'route') return [action.service];
  return action.type === 'split' ? action.services.map(({ service }) => service) : [];
}
