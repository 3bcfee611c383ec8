import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { routerField, routerSettings } from '../../src/config/router.ts';
import type { InstanceTraffic } from '../../src/contract/connections.ts';
import type { FromRouter, ToRouter } from '../../src/contract/router_link.ts';
import type { RouterSettings, RoutingTable } from '../../src/contract/routing_table.ts';
import { spec } from '../../src/contract/spec.ts';
import { Registry } from '../../src/services/registry.ts';
import { migrations } from '../../src/services/schema.ts';
import { ServiceStore } from '../../src/services/store.ts';
import { RouterTraffic } from '../../src/traffic/traffic.ts';
import { noTraffic } from '../../src/traffic/traffic_counts.ts';
import { until } from '../helpers/system.ts';

/** The settings of a router that listens on a port, as the configuration gives them. */
export function settingsOf(port: number, more: object = {}): RouterSettings {
  const config = routerField.parse({ listeners: [{ address: `127.0.0.1:${port}` }], ...more });
  assert.ok(config !== null);
  return routerSettings(config);
}

/** What a router tells of an instance. */
export function trafficOf(
  facts: Partial<InstanceTraffic> & Pick<InstanceTraffic, 'instance_id'>,
): InstanceTraffic {
  return { ...noTraffic(), service: 'web', instance: 1, release: 1, ejected: false, ...facts };
}

/** The agent's side of the data plane, with a registry of its own and no processes. */
export class World implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'davit-traffic-'));
  readonly database = new DatabaseSync(':memory:');
  readonly problems: string[] = [];
  readonly registry: Registry;
  readonly traffic: RouterTraffic;
  settings: RouterSettings | null = settingsOf(8080);
  readonly #routers: FakeRouter[] = [];

  constructor() {
    for (const migration of migrations) this.database.exec(migration);
    this.registry = new Registry(new ServiceStore(this.database, () => {}), assert.fail);
    this.traffic = new RouterTraffic({
      database: this.database,
      registry: this.registry,
      directory: this.directory,
      settings: () => this.settings,
      onCommit: () => {},
      onProblem: (message) => this.problems.push(message),
    });
    this.traffic.listen();
  }

  get socket(): string {
    return join(this.directory, 'agent.sock');
  }

  /** Registers a service whose instances run and are ready. */
  add(id: string, fields: object = {}): void {
    const declared = spec.parse({ command: 'x', port: 'auto', ...fields });
    this.registry.create(id, declared, 'create', 'test');
    for (let number = 1; number <= declared.instances; number++) this.start(id, number);
  }

  /** Lets an instance run. Returns its id. */
  start(id: string, number: number, release = 1): string {
    const instance_id = randomUUID();
    const started_at = Date.now() - 60_000;
    const facts = { pid: 1, start_ticks: '1', boot_id: 'x', main_pid: 1, control_group: null };
    const process = { ...facts, instance_id, release, started_at };
    this.registry.begin(id, number, 1, { process, port: 20_000 + number });
    this.registry.advance(id, number, 'started');
    return instance_id;
  }

  instanceId(id: string, number: number): string {
    return this.registry.instance(id, number).process?.instance_id ?? '';
  }

  /** A router that has said who it is. */
  async router(options: Partial<Extract<FromRouter, { type: 'hello' }>> & { silent?: boolean } = {}) {
    const router = new FakeRouter(this.socket, options);
    this.#routers.push(router);
    await router.connected;
    return router;
  }

  [Symbol.dispose](): void {
    for (const router of this.#routers) router.socket.destroy();
    this.traffic.rest();
    this.traffic.close();
    this.registry.close();
    this.database.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A router as the agent sees it: it takes every table at once, unless it is silent. */
export class FakeRouter {
  readonly socket: Socket;
  readonly tables: RoutingTable[] = [];
  readonly asked: ToRouter[] = [];
  readonly id: string;
  isClosed = false;
  /** Answers what the agent asks. */
  onQuestion: (question: ToRouter) => FromRouter | null = () => null;
  readonly connected: Promise<unknown>;

  constructor(
    file: string,
    { silent = false, ...hello }: Partial<Extract<FromRouter, { type: 'hello' }>> & { silent?: boolean },
  ) {
    this.id = hello.router ?? randomUUID().slice(0, 8);
    this.socket = connect(file);
    this.connected = new Promise((resolve) => this.socket.once('connect', resolve));
    this.socket.on('error', () => {});
    this.socket.once('close', () => {
      this.isClosed = true;
    });
    this.send({ type: 'hello', router: this.id, pid: 1, version: '1.0.0', table: null, ...hello });
    createInterface({ input: this.socket }).on('line', (line) => this.#take(JSON.parse(line), silent));
  }

  send(message: FromRouter): void {
    this.socket.write(`${JSON.stringify(message)}\n`);
  }

  tell(...instances: InstanceTraffic[]): void {
    this.send({
      type: 'facts',
      instances,
      connections: 0,
      connections_total: 0,
      unroutable: 0,
      refused: 0,
      problems: [],
    });
  }

  /** The newest table, once one fits. */
  async table(fits: (table: RoutingTable) => boolean): Promise<RoutingTable> {
    await until('a table comes that fits', () => this.tables.some(fits));
    return this.tables.find(fits) as RoutingTable;
  }

  #take(message: ToRouter, silent: boolean): void {
    if (message.type !== 'table') {
      this.asked.push(message);
      const answer = this.onQuestion(message);
      if (answer !== null) this.send(answer);
      return;
    }
    this.tables.push(message.table);
    const { epoch, version } = message.table;
    if (!silent) this.send({ type: 'applied', epoch, version });
  }
}
