import type { DeploymentHistory } from '../services/deployment_history.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import { Seals } from '../services/seals.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import type { Reconciler } from '../supervision/reconciler.ts';
import type { Supervisor } from '../supervision/supervisor.ts';
import { Changes } from './changes.ts';
import { Convergence } from './convergence.ts';
import { Deployments } from './deployments.ts';
import { Handover } from './handover.ts';
import { Operations } from './operations.ts';
import { OwnServices } from './own_services.ts';
import { Registration } from './registration.ts';
import { Retirement } from './retirement.ts';
import { RunningDeployments } from './running_deployments.ts';
import { ScheduledRuns } from './scheduled_runs.ts';
import { ServiceTurns } from './service_turns.ts';
import { Signals } from './signals.ts';
import type { Traffic } from './traffic.ts';

interface DeployPlaneOptions {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly reconciler: Reconciler;
  readonly dependencies: Dependencies;
  readonly events: EventLog;
  readonly history: DeploymentHistory;
  readonly traffic: Traffic;
  readonly onProblem: (message: string) => void;
  /** Removes all that is kept of a deleted service beside its record: output, histories, versions of files. */
  readonly forget: (service: string) => Promise<void>;
  /** Throws where something of a service runs that no record knows of. */
  readonly refuseSecond: (service: string) => Promise<void>;
  /** Whether only sealed services may be deployed by whoever has no authority over commands. */
  readonly requiresSealed: () => boolean;
}

/** Makes the parts that do with services what is asked, one after another on each, and puts them together. */
export function createDeployPlane(options: DeployPlaneOptions) {
  const { registry, requiresSealed } = options;
  const running = new RunningDeployments(options);
  const shared = {
    ...options,
    running,
    retirement: new Retirement(options),
    turns: new ServiceTurns({ registry, running }),
    seals: new Seals(registry, requiresSealed),
    registration: new Registration(options),
    signals: new Signals(options),
  };
  const parts = {
    ...shared,
    deployments: new Deployments(shared),
    convergence: new Convergence(shared),
  };
  return {
    operations: new Operations(parts),
    changes: new Changes(parts),
    dependencies: options.dependencies,
    seals: shared.seals,
    running,
    ownServices: new OwnServices(parts),
    scheduledRuns: new ScheduledRuns(parts),
    handover: new Handover(parts),
  };
}
