import { mostListed, type ProcessInformation, type ProcessList } from '../contract/processes.ts';
import type { Runtime } from '../processes/runtime.ts';
import type { Instance, InstanceProcess } from '../services/instance.ts';
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
    const { instances } = this.#registry.get(service);
    const trees = await Promise.all(instances.map((instance) => this.#tree(instance)));
    return {
      service,
      processes: trees.flatMap(({ processes }) => processes).slice(0, mostListed.processes),
      process_count: trees.reduce((sum, { process_count }) => sum + process_count, 0),
    };
  }

  async #tree({ number: instance, process: facts }: Instance): Promise<Omit<ProcessList, 'service'>> {
    if (facts === null) return { processes: [], process_count: 0 };
    const { processes, process_count } = await this.#runtime.inspect(facts, mostListed.processes);
    const shown = processes.map((each) => ({ ...each, role: roleOf(facts, each.pid), instance }));
    return { processes: shown, process_count };
  }
}

function roleOf({ pid: wrapper, main_pid }: InstanceProcess, pid: number): ProcessInformation['role'] {
  if (pid === main_pid) return 'main';
  return pid === wrapper ? 'wrapper' : 'descendant';
}
