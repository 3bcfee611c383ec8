import { hostname } from 'node:os';
import type { AgentInformation } from '../contract/answers.ts';
import type { operations as contract } from '../contract/operations.ts';
import type { LogLevel } from '../contract/scalars.ts';
import { commit, version } from '../lib/version.ts';
import type { Registry } from '../services/registry.ts';
import { runningInstances } from '../services/service.ts';
import { allows } from './permission.ts';
import type { Handler } from './route.ts';

/** What the agent knows of itself. */
export interface AgentFacts {
  readonly started_at: Date;
  readonly data: string;
  /** The address under which it answers; '' before it listens. */
  readonly url: () => string;
  /** What is missing or was mended. What receivers of samples, lines and alerts say is for those who may read everything. */
  readonly warnings: (readsAll: boolean) => readonly string[];
  readonly controlGroups: AgentInformation['control_groups'];
  /** Its log, as far as its level goes. */
  readonly log: { level: string };
  readonly registry: Registry;
}

/** What the routes on the agent itself call. */
export function agentHandlers(facts: AgentFacts) {
  return {
    health: () => ({ status: 'ok', message: 'Service agent is running' }),
    information: ({ principal }) => describeAgent(facts, allows(principal, 'read', null)),
    setLogLevel: ({ body }) => {
      facts.log.level = body.log_level;
      return body;
    },
  } satisfies {
    health: Handler<(typeof contract)['health']>;
    information: Handler<(typeof contract)['agentInformation']>;
    setLogLevel: Handler<(typeof contract)['setLogLevel']>;
  };
}

function describeAgent(facts: AgentFacts, readsAll: boolean): AgentInformation {
  const { started_at, data, url, warnings, controlGroups, log, registry } = facts;
  const services = registry.services();
  return {
    version,
    commit,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    hostname: hostname(),
    pid: process.pid,
    started_at: started_at.toISOString(),
    listen: url(),
    data,
    log_level: log.level as LogLevel,
    memory: { resident_bytes: process.memoryUsage.rss() },
    services: {
      total: services.length,
      running: services.filter((service) => runningInstances(service).length > 0).length,
    },
    control_groups: controlGroups,
    warnings: [...warnings(readsAll)],
  };
}
