import { mostListed, type ProcessInformation, type ProcessList } from '../contract/processes.ts';
import type { Runtime } from '../processes/runtime.ts';
import type { Registry } from '../services/registry.ts';

/** Shows the process trees of services as they are. */
export class TreeView {
  readonly #registry: Registry;
  readonly #runtime: Runtime;

  constructor(registry: Registry, runtime: Runtime) {
    this.#registry = registry;
    this.#runtime = runtime;
  }

  /** Every process of a service, none when it is stopped. Throws `service_not_found`. */
  async list(service: string): Promise<ProcessList> {
    const { process: facts } = this.#registry.get(service);
    if (facts === null) return { service, processes: [], process_count: 0 };
    const { processes, process_count } = await this.#runtime.inspect(facts, mostListed.processes);
    const roleOf = (pid: number): ProcessInformation['role'] => {
      if (pid === facts.main_pid) return 'main';
      return pid === facts.pid ? 'wrapper' : 'descendant';
    };
    return {
      service,
      processes: processes.map((each) => ({ ...each, role: roleOf(each.pid) })),
      process_count,
    };
  }
}
