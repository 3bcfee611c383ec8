import { DavitError } from '../lib/errors.ts';
import { noRestarts } from '../services/instance.ts';
import { runningInstances } from '../services/service.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import type { Convergence } from './convergence.ts';
import type { ServiceTurns } from './service_turns.ts';
import { type StopParts, stopService } from './stop_instances.ts';

interface ScheduledRunsParts extends StopParts {
  readonly dependencies: Dependencies;
  readonly turns: ServiceTurns;
  readonly convergence: Convergence;
}

/** Who asked for what a schedule brings about. */
const bySchedule = 'schedule';

/** The runs of tasks that a schedule asks for. How they go is noted with the task. */
export class ScheduledRuns {
  readonly #parts: ScheduledRunsParts;

  constructor(parts: ScheduledRunsParts) {
    this.#parts = parts;
  }

  /** Starts a task whose time has come, unless it still runs. Throws `dependency_unmet`. */
  start(id: string, scheduled_for: Date): Promise<void> {
    const { registry, supervisor, dependencies, turns } = this.#parts;
    return turns.take(id, async () => {
      const service = registry.find(id);
      if (service === null || service.wanted === 'stopped' || runningInstances(service).length > 0) return;
      const unmet = dependencies.unmet(id);
      if (unmet.length > 0)
        throw new DavitError('dependency_unmet', `the task waits for ${unmet.join(' and ')}: not run`);
      const { current_release: release } = service;
      const spec = registry.spec(id);
      const order = { service: id, number: 1, release, spec, actor: bySchedule, cause: null } as const;
      registry.updateInstance(id, 1, { restarts: noRestarts });
      await supervisor.restart({ ...order, trigger: 'schedule', scheduled_for });
    });
  }

  /** Ends what runs of a task, so that its next run can begin. */
  end(id: string): Promise<void> {
    const { convergence, turns } = this.#parts;
    return turns.take(id, async () => {
      await stopService(this.#parts, id, { actor: bySchedule, cause: null });
      convergence.rest(id);
    });
  }
}
