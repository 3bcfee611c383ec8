import type { operations as contract } from '../contract/operations.ts';
import type { agentHandlers } from './agent_handlers.ts';
import type { alertHandlers } from './alert_handlers.ts';
import type { artifactHandlers } from './artifact_handlers.ts';
import type { configHandlers } from './config_handlers.ts';
import type { connectionHandlers } from './connection_handlers.ts';
import type { declarationHandlers } from './declaration_handlers.ts';
import type { deploymentHandlers } from './deployment_handlers.ts';
import type { historyHandlers } from './history_handlers.ts';
import type { instanceHandlers } from './instance_handlers.ts';
import type { keyHandlers } from './key_handlers.ts';
import type { notifierHandlers } from './notifier_handlers.ts';
import type { processHandlers } from './process_handlers.ts';
import type { Handler } from './route.ts';
import type { ruleHandlers } from './rule_handlers.ts';
import type { runHandlers } from './run_handlers.ts';
import type { serviceHandlers } from './service_handlers.ts';
import type { silenceHandlers } from './silence_handlers.ts';

/** Everything that the table of routes calls. */
export interface Handlers {
  readonly services: ReturnType<typeof serviceHandlers>;
  readonly agent: ReturnType<typeof agentHandlers>;
  readonly processes: ReturnType<typeof processHandlers>;
  readonly artifacts: ReturnType<typeof artifactHandlers>;
  readonly configs: ReturnType<typeof configHandlers>;
  readonly deployments: ReturnType<typeof deploymentHandlers>;
  readonly instances: ReturnType<typeof instanceHandlers>;
  readonly runs: ReturnType<typeof runHandlers>;
  readonly why: Handler<(typeof contract)['whyService']>;
  readonly declarations: ReturnType<typeof declarationHandlers>;
  readonly health: Handler<(typeof contract)['serviceHealth']>;
  readonly rules: ReturnType<typeof ruleHandlers>;
  readonly connections: ReturnType<typeof connectionHandlers>;
  readonly keys: ReturnType<typeof keyHandlers>;
  readonly batch: Handler<(typeof contract)['batch']>;
  readonly logs: Handler<(typeof contract)['serviceLogs']>;
  readonly alerts: ReturnType<typeof alertHandlers>;
  readonly silences: ReturnType<typeof silenceHandlers>;
  readonly notifiers: ReturnType<typeof notifierHandlers>;
  readonly events: Handler<(typeof contract)['listEvents']>;
  readonly stats: Handler<(typeof contract)['showStats']>;
  readonly history: ReturnType<typeof historyHandlers>;
  readonly metrics: Handler<(typeof contract)['metrics']>;
  readonly audit: Handler<(typeof contract)['listAudit']>;
}
