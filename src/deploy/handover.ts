import type { Deployment } from '../contract/deployments.ts';
import type { DeploymentHistory } from '../services/deployment_history.ts';
import type { Registry } from '../services/registry.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import { levels } from '../supervision/dependency_order.ts';
import type { Supervisor } from '../supervision/supervisor.ts';
import type { Convergence } from './convergence.ts';
import type { Deployments } from './deployments.ts';
import type { Retirement } from './retirement.ts';
import type { RunningDeployments } from './running_deployments.ts';
import type { ServiceTurns } from './service_turns.ts';
import { stopWhere } from './stop_instances.ts';

interface HandoverParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly dependencies: Dependencies;
  readonly history: DeploymentHistory;
  readonly turns: ServiceTurns;
  readonly running: RunningDeployments;
  readonly retirement: Retirement;
  readonly deployments: Deployments;
  readonly convergence: Convergence;
  /** Throws where something of a service runs that no record knows of. */
  readonly refuseSecond: (service: string) => Promise<void>;
}

/** What one agent leaves to the next, and what that makes of it. */
export class Handover {
  readonly #parts: HandoverParts;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  /** Goes on with what an earlier agent left half done. What is to be said of one service is said by `finish`. */
  begin(): void {
    const { registry, history, retirement } = this.#parts;
    const takenUp = new Set(registry.services().map(({ under_way }) => under_way?.deployment ?? 0));
    // An agent that dies right after a commit has not noted the end.
    const isDone = ({ service, release }: Deployment) =>
      release !== null &&
      registry.find(service)?.current_release === release &&
      registry.release(service, release).outcome === 'succeeded';
    history.endLost((id) => takenUp.has(id), isDone);
    retirement.begin();
  }

  /** Brings to an end what an agent was doing with a service when it died, and starts again what ended with it or the host. */
  finish(id: string): Promise<void> {
    const { registry, turns, deployments, convergence } = this.#parts;
    return turns.take(id, async () => {
      const { under_way, wanted } = registry.get(id);
      if (wanted === 'running' ? convergence.startsByItself(id) : under_way !== null)
        await this.#refuseSecond(id);
      if (under_way !== null) await deployments.finish(id);
      const now = registry.get(id);
      // What was interrupted once more is left to the next agent.
      if (now.wanted === 'stopped' || now.under_way !== null) return;
      await convergence.converge(id, 'agent');
      convergence.wakeDue(id);
    });
  }

  /** Leaves to the next agent what takes long: what is compared, what drains. */
  interrupt(): void {
    this.#parts.running.interrupt();
    this.#parts.retirement.close();
  }

  /** Stops everything that runs, because the agent ends: the next agent starts it again. What depends on others ends first. */
  async stopAll(): Promise<void> {
    const { registry, dependencies, turns } = this.#parts;
    const graph = new Map(registry.services().map(({ id }) => [id, dependencies.of(id)]));
    const order = { actor: 'agent', cause: null } as const;
    const stop = (id: string) =>
      turns.take(id, async () => {
        if (registry.find(id) !== null) await stopWhere(this.#parts, id, order, () => true, 'agent_stopped');
      });
    for (const level of levels(graph).toReversed()) await Promise.allSettled(level.map(stop));
  }

  /** Throws, and nothing of a service is started by itself, where something of it runs that no record knows of. */
  async #refuseSecond(id: string): Promise<void> {
    try {
      await this.#parts.refuseSecond(id);
    } catch (error) {
      this.#parts.convergence.rest(id);
      throw error;
    }
  }
}
