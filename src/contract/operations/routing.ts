import * as ruleRequests from '../rule_requests.ts';
import { rule } from '../rules.ts';
import { servicePath } from '../services.ts';
import * as traffic from '../traffic.ts';
import type { Operation } from './operation.ts';
import { emptyBody } from './operation.ts';

const onRule = { tag: 'routing', path: ruleRequests.rulePath } as const;
const ruleErrors = ['rule_not_found', 'state_conflict', 'storage_unavailable', 'shutting_down'] as const;

/** Where requests of clients go: rules, connections, traffic and the routers. */
export const routingOperations = {
  listRules: {
    tag: 'routing',
    summary: 'Every rule, also those that routes of services make',
    answer: ruleRequests.ruleList,
    errors: [],
  },
  createRule: {
    tag: 'routing',
    summary: 'Make a rule, which holds from then on',
    body: ruleRequests.createRule,
    answer: rule,
    success: 201,
    errors: ['rule_exists', 'state_conflict', 'storage_unavailable', 'shutting_down'],
  },
  orderRules: {
    tag: 'routing',
    summary: 'Give rules priorities by which they come in this order',
    body: ruleRequests.orderRules,
    answer: ruleRequests.ruleList,
    errors: ruleErrors,
  },
  testRule: {
    tag: 'routing',
    summary: 'Which rule and which instance a request would get, and why',
    body: ruleRequests.testRule,
    answer: ruleRequests.ruleTest,
    errors: ['router_unavailable'],
  },
  showRule: { ...onRule, summary: 'One rule', answer: rule, errors: ['rule_not_found'] },
  replaceRule: {
    ...onRule,
    summary: 'Make another rule of one',
    body: ruleRequests.replaceRule,
    answer: rule,
    errors: ruleErrors,
  },
  deleteRule: { ...onRule, summary: 'Delete a rule', answer: ruleRequests.deletedRule, errors: ruleErrors },
  enableRule: {
    ...onRule,
    summary: 'Let a rule count again',
    body: emptyBody,
    answer: rule,
    errors: ruleErrors,
  },
  disableRule: {
    ...onRule,
    summary: 'Let a rule not count, without deleting it',
    body: emptyBody,
    answer: rule,
    errors: ruleErrors,
  },

  listConnections: {
    tag: 'routing',
    summary: 'The connections that clients have open with the routers, or a stream of what changes',
    query: traffic.connectionsQuery,
    answer: traffic.connectionList,
    stream: traffic.connectionChange,
    errors: ['router_unavailable'],
  },
  closeConnections: {
    tag: 'routing',
    summary: 'Close the connections that fit',
    query: traffic.closeConnectionsQuery,
    answer: traffic.closedConnections,
    errors: ['router_unavailable'],
  },
  closeConnection: {
    tag: 'routing',
    path: traffic.connectionPath,
    summary: 'Close one connection',
    answer: traffic.closedConnections,
    errors: ['connection_not_found', 'router_unavailable'],
  },
  showTraffic: {
    tag: 'routing',
    summary: 'What went through the routers, by service and instance',
    answer: traffic.traffic,
    errors: [],
  },
  serviceTraffic: {
    tag: 'routing',
    path: servicePath,
    summary: 'What went through the routers to one service',
    answer: traffic.serviceTraffic,
    errors: ['service_not_found'],
  },
  listRouters: {
    tag: 'routing',
    summary: 'The routers that are connected, and whether they act by the newest table',
    answer: traffic.routerList,
    errors: [],
  },
} as const satisfies Record<string, Operation>;
