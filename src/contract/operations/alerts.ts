import * as alerts from '../alerts.ts';
import * as notifiers from '../notifiers.ts';
import type { Operation } from './operation.ts';
import { emptyBody } from './operation.ts';

const onAlertRule = { tag: 'alerts', path: alerts.alertRulePath } as const;
const alertRuleErrors = [
  'alert_rule_not_found',
  'state_conflict',
  'storage_unavailable',
  'shutting_down',
] as const;

const onNotifier = { tag: 'alerts', path: notifiers.notifierPath } as const;
const notifierErrors = [
  'notifier_not_found',
  'target_not_allowed',
  'state_conflict',
  'storage_unavailable',
  'shutting_down',
] as const;

/** Alerts, the rules by which they arise, silences, and who is told. */
export const alertOperations = {
  listAlerts: {
    tag: 'alerts',
    summary: 'What is pending and fires, or what is over',
    query: alerts.alertsQuery,
    answer: alerts.alertList,
    errors: [],
  },
  showAlert: {
    tag: 'alerts',
    path: alerts.alertPath,
    summary: 'One alert with what led to it and the last lines of its service',
    answer: alerts.alertInFull,
    errors: ['alert_not_found'],
  },

  listAlertRules: {
    tag: 'alerts',
    summary: 'Every alert rule: ready-made ones, those of the configuration and those of the API',
    answer: alerts.alertRuleList,
    errors: [],
  },
  createAlertRule: {
    tag: 'alerts',
    summary: 'Make an alert rule, which holds from then on',
    body: alerts.alertRule,
    answer: alerts.shownAlertRule,
    success: 201,
    errors: ['alert_rule_exists', ...alertRuleErrors.slice(1)],
  },
  showAlertRule: {
    ...onAlertRule,
    summary: 'One alert rule',
    answer: alerts.shownAlertRule,
    errors: ['alert_rule_not_found'],
  },
  replaceAlertRule: {
    ...onAlertRule,
    summary: 'Make another rule of one of the API',
    body: alerts.replaceAlertRule,
    answer: alerts.shownAlertRule,
    errors: alertRuleErrors,
  },
  deleteAlertRule: {
    ...onAlertRule,
    summary: 'Delete a rule of the API; what it found is over then',
    answer: alerts.deletedAlertRule,
    errors: alertRuleErrors,
  },

  listSilences: {
    tag: 'alerts',
    summary: 'Every silence that has not ended',
    answer: alerts.silenceList,
    errors: [],
  },
  createSilence: {
    tag: 'alerts',
    summary: 'Have nobody told of alerts that fit, until it ends',
    body: alerts.newSilence,
    answer: alerts.silence,
    success: 201,
    errors: ['state_conflict', 'storage_unavailable', 'shutting_down'],
  },
  endSilence: {
    tag: 'alerts',
    path: alerts.silencePath,
    summary: 'End a silence; what still fires is told then',
    answer: alerts.silence,
    errors: ['silence_not_found', 'storage_unavailable', 'shutting_down'],
  },

  listNotifiers: {
    tag: 'alerts',
    summary: 'Every notifier, of the configuration and of the API, without its secrets',
    answer: notifiers.notifierList,
    errors: [],
  },
  createNotifier: {
    tag: 'alerts',
    summary: 'Make a notifier, which is told from then on',
    body: notifiers.newNotifier,
    answer: notifiers.shownNotifier,
    success: 201,
    errors: ['notifier_exists', ...notifierErrors.slice(1)],
  },
  replaceNotifier: {
    ...onNotifier,
    summary: 'Make another notifier of one of the API',
    body: notifiers.replaceNotifier,
    answer: notifiers.shownNotifier,
    errors: notifierErrors,
  },
  deleteNotifier: {
    ...onNotifier,
    summary: 'Delete a notifier of the API, with what waits for it',
    answer: notifiers.deletedNotifier,
    errors: notifierErrors,
  },
  testNotifier: {
    ...onNotifier,
    summary: 'Send one notification to a notifier at once, and say what became of it',
    body: emptyBody,
    answer: notifiers.testedNotifier,
    errors: ['notifier_not_found', 'notification_failed', 'state_conflict', 'shutting_down'],
  },
} as const satisfies Record<string, Operation>;
