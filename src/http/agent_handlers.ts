import { hostname } from 'node:os';
import type { AgentInformation } from '../contract/agent.ts';
import type { AgentConfiguration } from '../contract/agent_configuration.ts';
import type { DoctorReport } from '../contract/doctor.ts';
import type { operations as contract } from '../contract/operations.ts';
import type { LogLevel } from '../contract/scalars.ts';
import { commit, version } from '../lib/version.ts';
import type { Registry } from '../services/registry.ts';
import { runningInstances } from '../services/service.ts';
import { allows, type Principal } from './permission.ts';
import type { Handler } from './route.ts';

/** What the agent knows of itself. */
export interface AgentFacts {
  readonly started_at: Date;
  readonly data: string;
  /** The configuration file that it was started with; null: none. */
  readonly config_file: string | null;
  /** The address under which it answers; '' before it listens. */
  readonly url: () => string;
  /** What is missing or was mended. What receivers of samples, lines and alerts say is for those who may read everything. */
  readonly warnings: (readsAll: boolean) => readonly string[];
  readonly controlGroups: AgentInformation['control_groups'];
  /** Its log, as far as its level goes. */
  readonly log: { level: string };
  readonly registry: Registry;
  /** Every setting, without secrets. */
  readonly configuration: () => AgentConfiguration;
  /** Looks at this host. Throws `doctor_failed`. */
  readonly diagnose: () => Promise<DoctorReport>;
}

/** What the routes on the agent itself call. */
export function agentHandlers(facts: AgentFacts) {
  return {
    health: () => ({ status: 'ok', message: 'Service agent is running' }),
    information: ({ principal }) => describeAgent(facts, principal),
    configuration: () => facts.configuration(),
    doctor: () => facts.diagnose(),
    setLogLevel: ({ body }) => {
      facts.log.level = body.log_level;
      return body;
    },
  } satisfies {
    health: Handler<(typeof contract)['health']>;
    information: Handler<(typeof contract)['agentInformation']>;
    configuration: Handler<(typeof contract)['showConfiguration']>;
    doctor: Handler<(typeof contract)['doctor']>;
    setLogLevel: Handler<(typeof contract)['setLogLevel']>;
  };
}

function describeAgent(facts: AgentFacts, principal: Principal): AgentInformation {
  const { started_at, data, config_file, url, warnings, controlGroups, log, registry } = facts;
  const services = registry.services().filter(({ id }) => allows(principal, 'read', id));
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
    config_file,
    log_level: log.level as LogLevel,
    memory: { resident_bytes: process.memoryUsage.rss() },
    services: {
      total: services.length,
      running: services.filter((service) => runningInstances(service).length > 0).length,
    },
    control_groups: controlGroups,
    warnings: [...warnings(allows(principal, 'read', null))],
  };
}
