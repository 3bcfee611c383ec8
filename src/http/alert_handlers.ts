import type { Alerts } from '../alerts/alerts.ts';
import { isOfServices } from '../alerts/watched_rule.ts';
import type { AlertList, AlertRule, ShownAlertRule } from '../contract/alerts.ts';
import type { EventType } from '../contract/events.ts';
import type { operations as contract } from '../contract/operations.ts';
import { DavitError } from '../lib/errors.ts';
import type { EventLog } from '../services/event_log.ts';
import { allows, type Principal, refusal } from './permission.ts';
import type { Handler } from './route.ts';

type Contract = typeof contract;

/** How many alerts are given when nobody says. */
const usualLimit = 100;

/** How many alerts are told to those who want all. */
const mostAlerts = 1_000;

/** The alerts that are pending or fire and that a principal may read, the newest first. */
export function visibleAlerts(alerts: Alerts, principal: Principal): AlertList {
  return { alerts: alerts.view.list({ limit: mostAlerts, maySee: seer(principal) }), next: null };
}

/** What the routes on alerts and their rules call. */
export function alertHandlers(alerts: Alerts, events: EventLog) {
  const { rules } = alerts;
  /** Throws `alert_rule_not_found`, also for one that the caller may not see. */
  const visible = (name: string, principal: Principal): ShownAlertRule =>
    rules.get(name, (rule) => maySee(principal, rule));
  const record = (type: EventType, rule: AlertRule, { actor }: Principal, verb: string) => {
    const [service = '*', ...more] = rule.services;
    const isOne = isOfServices(rule) && more.length === 0 && !service.includes('*');
    const message = `Alert rule "${rule.name}" was ${verb}`;
    events.record({ type, ...(isOne && { service }), actor, message });
  };

  return {
    list: ({ query: { state, before, limit = usualLimit, service, rule }, principal }) => {
      const filter = { service, rule, limit: Number(limit), maySee: seer(principal) };
      if (state === 'resolved') return alerts.view.history(filter, before);
      if (before !== undefined) throw refusedCursor();
      return { alerts: alerts.view.list({ ...filter, state }), next: null };
    },

    show: ({ path, principal }) => alerts.view.get(path.alert_id, seer(principal)),

    rules: ({ principal }) => ({ rules: rules.all().filter((rule) => maySee(principal, rule)) }),

    rule: ({ path, principal }) => visible(path.rule_name, principal),

    create: ({ body, principal }) => {
      requireRights(principal, body);
      const made = rules.create(body);
      record('alert_rule.created', body, principal, 'made');
      return made;
    },

    replace: ({ path, body, principal }) => {
      requireRights(principal, visible(path.rule_name, principal));
      const rule: AlertRule = { name: path.rule_name, ...body };
      requireRights(principal, rule);
      const changed = rules.replace(rule);
      record('alert_rule.updated', rule, principal, 'changed');
      return changed;
    },

    remove: ({ path, principal }) => {
      requireRights(principal, visible(path.rule_name, principal));
      const deleted = rules.remove(path.rule_name);
      record('alert_rule.deleted', deleted, principal, 'deleted');
      return { deleted };
    },
  } satisfies {
    list: Handler<Contract['listAlerts']>;
    show: Handler<Contract['showAlert']>;
    rules: Handler<Contract['listAlertRules']>;
    rule: Handler<Contract['showAlertRule']>;
    create: Handler<Contract['createAlertRule']>;
    replace: Handler<Contract['replaceAlertRule']>;
    remove: Handler<Contract['deleteAlertRule']>;
  };
}

function refusedCursor(): DavitError {
  const message = 'goes with state=resolved only';
  return new DavitError('invalid_request', `before in the query: ${message}`, {
    details: [{ path: 'before', message }],
  });
}

/** A rule that watches any service tells nothing of one; others are shown to those who may read all that they name. */
function maySee(principal: Principal, { services }: AlertRule): boolean {
  return services.every((glob) => glob === '*' || allows(principal, 'read', glob));
}

/**
 * Throws `forbidden` unless the caller may deploy every service that a rule may watch; one on the host, the agent or any
 * service takes an administrator. A pattern is within another one when that fits it as if its * were a character.
 */
function requireRights(principal: Principal, rule: AlertRule): void {
  const isOfAll = !isOfServices(rule) || rule.services.includes('*');
  if (isOfAll && !allows(principal, 'admin', null)) throw refusal(principal, 'admin', null);
  if (isOfAll) return;
  for (const glob of rule.services)
    if (!allows(principal, 'deploy', glob)) throw refusal(principal, 'deploy', glob);
}

function seer(principal: Principal) {
  return (service: string | null): boolean => allows(principal, 'read', service);
}
