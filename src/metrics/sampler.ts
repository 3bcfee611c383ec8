import { type TreeUsage, TreeUsages } from '../processes/tree_usages.ts';
import type { Instance } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import { AgentMeter } from './agent_usage.ts';
import { HostReader } from './host_usage.ts';
import type { InstanceUsage, Tick } from './tick.ts';

interface SamplerOptions {
  readonly registry: Pick<Registry, 'services'>;
  /** The data directory, on whose disk space matters. */
  readonly directory: string;
}

/** Looks at the host, the agent and every instance, one look at a time. */
export class Sampler {
  readonly #registry: Pick<Registry, 'services'>;
  readonly #host: HostReader;
  readonly #agent = new AgentMeter();
  readonly #trees = new TreeUsages();

  constructor({ registry, directory }: SamplerOptions) {
    this.#registry = registry;
    this.#host = new HostReader(directory);
  }

  begin(): void {
    this.#agent.begin();
  }

  async look(): Promise<Tick> {
    const at = Date.now();
    const began = performance.now();
    const host = await this.#host.read();
    const instances = await this.#instances();
    return { at, duration_ms: performance.now() - began, host, agent: this.#agent.read(), instances };
  }

  close(): void {
    this.#agent.close();
  }

  async #instances(): Promise<InstanceUsage[]> {
    const running = this.#registry
      .services()
      .flatMap(({ id, instances }) => instances.map((instance) => ({ id, instance })));
    const usages = await this.#trees.read(running.flatMap(({ instance }) => instance.process ?? []));
    return running.flatMap(({ id, instance }) => describe(id, instance, usages) ?? []);
  }
}

/** null: it has no process, or that has ended meanwhile. */
function describe(
  service: string,
  { number, process: facts }: Instance,
  usages: ReadonlyMap<string, TreeUsage>,
): InstanceUsage | null {
  const usage = facts && usages.get(facts.instance_id);
  if (!facts || !usage) return null;
  const { release, instance_id, started_at } = facts;
  return { service, instance: number, release, instance_id, ...usage, started_at };
}
