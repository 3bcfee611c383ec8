import type { EventType } from '../contract/events.ts';
import type { operations as contract } from '../contract/operations.ts';
import type { NewRule, Rule } from '../contract/rules.ts';
import { DavitError } from '../lib/errors.ts';
import type { EventLog } from '../services/event_log.ts';
import { requireRule } from '../traffic/rule_check.ts';
import { testRule } from '../traffic/rule_test.ts';
import { apiRule, servicesOf } from '../traffic/table.ts';
import type { RouterTraffic } from '../traffic/traffic.ts';
import { allows, type Principal, refusal } from './permission.ts';
import type { Handler } from './route.ts';

type Contract = typeof contract;

/** What the routes on rules call. A change is answered when every router acts by it, or has not said so for a few seconds. */
export function ruleHandlers({ rules, publisher, facts }: RouterTraffic, events: EventLog) {
  /** A rule of the rules API that the caller may change. Throws `rule_not_found`, `state_conflict` of one that a route makes, and `forbidden`. */
  const changeable = (id: string, principal: Principal): NewRule => {
    const rule = find(publisher.rules, id, principal, () => rules.get(id));
    if (rule.declared_by !== null)
      throw new DavitError(
        'state_conflict',
        `rule "${id}" is a route of service "${rule.declared_by}": change it there`,
      );
    requireRights(principal, rule);
    return rules.get(id);
  };
  const record = (type: EventType, rule: NewRule, { actor }: Principal, message: string) => {
    const [service, ...more] = servicesOf(rule);
    const about = service !== undefined && more.length === 0 ? { service } : {};
    events.record({ type, ...about, actor, message });
  };
  const setEnabled = async (id: string, enabled: boolean, principal: Principal): Promise<Rule> => {
    const rule = { ...changeable(id, principal), enabled };
    rules.replace(rule);
    const [type, word] = enabled
      ? (['rule.enabled', 'enabled'] as const)
      : (['rule.disabled', 'disabled'] as const);
    record(type, rule, principal, `Rule "${id}" was ${word}`);
    await publisher.applied();
    return apiRule(rule);
  };

  return {
    list: ({ principal }) => ({ rules: publisher.rules.filter((rule) => maySee(principal, rule)) }),

    show: ({ path, principal }) =>
      find(publisher.rules, path.rule_id, principal, () => rules.get(path.rule_id)),

    create: async ({ body, principal }) => {
      requireRule(body);
      requireRights(principal, body);
      rules.create(body);
      record('rule.created', body, principal, `Rule "${body.id}" was made: ${describe(body)}`);
      await publisher.applied();
      return apiRule(body);
    },

    replace: async ({ path, body, principal }) => {
      const rule = { id: path.rule_id, ...body };
      changeable(path.rule_id, principal);
      requireRule(rule);
      requireRights(principal, rule);
      rules.replace(rule);
      record('rule.updated', rule, principal, `Rule "${rule.id}" was changed: ${describe(rule)}`);
      await publisher.applied();
      return apiRule(rule);
    },

    remove: async ({ path, principal }) => {
      const removed = changeable(path.rule_id, principal);
      rules.remove(removed.id);
      record('rule.deleted', removed, principal, `Rule "${removed.id}" was deleted`);
      await publisher.applied();
      return { deleted: apiRule(removed) };
    },

    enable: ({ path, principal }) => setEnabled(path.rule_id, true, principal),
    disable: ({ path, principal }) => setEnabled(path.rule_id, false, principal),

    order: async ({ body: { ids }, principal }) => {
      for (const id of ids) changeable(id, principal);
      rules.order(ids);
      for (const id of ids) {
        const rule = rules.get(id);
        record('rule.updated', rule, principal, `Rule "${id}" has the priority ${rule.priority} now`);
      }
      await publisher.applied();
      return { rules: publisher.rules.filter((rule) => maySee(principal, rule)) };
    },

    test: ({ body, principal }) => {
      const result = testRule(publisher, facts, body);
      const byId = new Map(publisher.rules.map((rule) => [rule.id, rule]));
      const isShown = (id: string) => {
        const rule = byId.get(id);
        return rule === undefined || maySee(principal, rule);
      };
      if (result.rule !== null && !isShown(result.rule)) throw refusal(principal, 'read', result.service);
      return { ...result, tried: result.tried.filter(({ rule }) => isShown(rule)) };
    },
  } satisfies {
    list: Handler<Contract['listRules']>;
    show: Handler<Contract['showRule']>;
    create: Handler<Contract['createRule']>;
    replace: Handler<Contract['replaceRule']>;
    remove: Handler<Contract['deleteRule']>;
    enable: Handler<Contract['enableRule']>;
    disable: Handler<Contract['disableRule']>;
    order: Handler<Contract['orderRules']>;
    test: Handler<Contract['testRule']>;
  };
}

/** One of the rules; where there is none, or the caller may not see it, what `absent` throws. */
function find(rules: readonly Rule[], id: string, principal: Principal, absent: () => NewRule): Rule {
  const found = rules.find((rule) => rule.id === id);
  if (found !== undefined && maySee(principal, found)) return found;
  if (found !== undefined) throw new DavitError('rule_not_found', `there is no rule "${id}"`);
  return apiRule(absent());
}

/** A rule is shown to those who may see every service to which it leads; one that leads to none, to those who may see the whole agent. */
function maySee(principal: Principal, rule: Rule): boolean {
  const services = servicesOf(rule);
  if (services.length === 0) return allows(principal, 'read', null);
  return services.every((service) => allows(principal, 'read', service));
}

/** Throws `forbidden` unless the caller may deploy every service to which a rule leads; one that leads to none takes an administrator. */
function requireRights(principal: Principal, rule: Pick<Rule, 'action'>): void {
  const services = servicesOf(rule);
  if (services.length === 0 && !allows(principal, 'admin', null)) throw refusal(principal, 'admin', null);
  for (const service of services)
    if (!allows(principal, 'deploy', service)) throw refusal(principal, 'deploy', service);
}

function describe({ action }: Pick<Rule, 'action'>): string {
  switch (action.type) {
    case 'route':
      return `to "${action.service}"`;
    case 'split':
      return action.services.map(({ service, weight }) => `${weight} to "${service}"`).join(', ');
    case 'redirect':
      return `redirect to ${action.to}`;
    default:
      return `${action.type} with ${action.status}`;
  }
}
