import type { Spec } from '../contract/spec.ts';
import { numberPort } from '../processes/placeholders.ts';
import type { Ports } from '../processes/ports.ts';
import type { Registry } from '../services/registry.ts';

/** Which instance has which port. */
export class PortBook {
  readonly #registry: Registry;
  readonly #ports: Ports;
  /** By service and number, while the instance lives. */
  readonly #held = new Map<string, number>();

  constructor(registry: Registry, ports: Ports) {
    this.#registry = registry;
    this.#ports = ports;
  }

  /** Throws `port_taken` where a port that the spec names belongs to somebody else. */
  async check(service: string, spec: Spec): Promise<void> {
    if (typeof spec.port !== 'number') return;
    const own = new Set(this.#registry.find(service)?.instances.map(({ port }) => port));
    for (let number = 1; number <= spec.instances; number++) {
      const port = numberPort(spec.port, number);
      if (own.has(port)) continue;
      await this.#ports.claim(port);
      this.#ports.release(port);
    }
  }

  /** The port of an instance that is to be started; null where it has none. Throws `port_taken`. */
  async take(service: string, number: number, spec: Spec): Promise<number | null> {
    if (spec.port === null) return null;
    const { port: previous } = this.#registry.instance(service, number);
    const port =
      spec.port === 'auto'
        ? await this.#ports.take({ previous, taken: this.#known(service, number) })
        : numberPort(spec.port, number);
    if (spec.port !== 'auto') await this.#ports.claim(port);
    this.#held.set(`${service}/${number}`, port);
    this.#registry.updateInstance(service, number, { port });
    return port;
  }

  /** Notes the port of an instance that was taken up. */
  async hold(service: string, number: number): Promise<void> {
    const { port } = this.#registry.instance(service, number);
    if (port === null) return;
    this.#held.set(`${service}/${number}`, port);
    await this.#ports.hold(port);
  }

  release(service: string, number: number): void {
    const key = `${service}/${number}`;
    const port = this.#held.get(key);
    if (port === undefined) return;
    this.#held.delete(key);
    this.#ports.release(port);
  }

  /** The ports that other instances have, or want back. */
  #known(service: string, number: number): ReadonlySet<number> {
    const others = this.#registry
      .services()
      .flatMap(({ id, instances }) =>
        instances
          .filter((instance) => id !== service || instance.number !== number)
          .map(({ port }) => port ?? 0),
      );
    return new Set(others);
  }
}
