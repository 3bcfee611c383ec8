import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Alerts } from '../../src/alerts/alerts.ts';
import { type AlertsConfig, alertsField } from '../../src/config/alerts.ts';
import type { Notification } from '../../src/contract/alerts.ts';
import type { Measurements, SeriesKey } from '../../src/contract/series.ts';
import { spec } from '../../src/contract/spec.ts';
import { DeploymentHistory } from '../../src/services/deployment_history.ts';
import { EventLog } from '../../src/services/event_log.ts';
import type { Instance, LastExit } from '../../src/services/instance.ts';
import { Registry } from '../../src/services/registry.ts';
import { migrations } from '../../src/services/schema.ts';
import { ServiceStore } from '../../src/services/store.ts';
import { Why } from '../../src/supervision/why.ts';

/** What one notifier was told. */
export interface Told {
  readonly notifier: string;
  readonly at: number;
  readonly notification: Notification;
}

/** An agent's worth of services without processes, whose time passes only when it is told to. */
export class World {
  readonly database = new DatabaseSync(':memory:');
  readonly told: Told[] = [];
  readonly problems: string[] = [];
  readonly #context: TestContext;
  #now = Date.UTC(2026, 0, 1);
  #offset = 0;
  config: AlertsConfig;
  receivers: readonly string[] = ['hook'];
  routers = { configured: false, connected: 0 };
  lines: readonly string[] = ['one', 'two'];
  /** How long it takes to read what a service wrote. */
  onRead: () => Promise<void> = async () => {};
  events: EventLog;
  registry: Registry;
  deployments: DeploymentHistory;
  alerts: Alerts;

  constructor(context: TestContext, settings: unknown = {}) {
    this.#context = context;
    context.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: this.#now });
    for (const migration of migrations) this.database.exec(migration);
    this.config = alertsField.parse(settings);
    ({ events: this.events, registry: this.registry, deployments: this.deployments } = this.#open());
    this.alerts = this.#makeAlerts();
    context.after(() => {
      this.alerts.close();
      this.events.flush();
      this.registry.close();
      this.database.close();
    });
  }

  /** Ends what there is without a word, as kill -9 does, and begins anew with what is on the disk. */
  async startAgain({
    orderly = false,
    meanwhile = () => {},
  }: {
    orderly?: boolean;
    meanwhile?: () => void;
  } = {}) {
    if (orderly) {
      this.events.record({ type: 'agent.stopping', message: 'Agent is stopping' });
      this.alerts.close();
    }
    this.events.flush();
    // The one that is dead does nothing any more.
    this.#context.mock.timers.reset();
    this.#context.mock.timers.enable({
      apis: ['setTimeout', 'setInterval', 'Date'],
      now: this.#now,
    });
    ({ events: this.events, registry: this.registry, deployments: this.deployments } = this.#open());
    meanwhile();
    this.alerts = this.#makeAlerts();
    await this.begin();
  }

  async begin(): Promise<void> {
    this.events.record({ type: 'agent.started', message: 'Agent started' });
    this.alerts.begin();
    await this.settle();
  }

  /** Lets what happens in this moment happen. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn += 1) await nextTurn();
  }

  /** Lets time pass, in steps of milliseconds. */
  async pass(milliseconds: number, step = Math.max(50, milliseconds / 200)): Promise<void> {
    await this.settle();
    for (let left = milliseconds; left > 0; left -= step) {
      const part = Math.min(step, left);
      this.#now += part;
      this.#context.mock.timers.tick(part);
      await this.settle();
    }
  }

  /** Sets the clock back. Timers go on as they do, by a clock that nobody sets. */
  async setBack(milliseconds: number): Promise<void> {
    this.#offset -= milliseconds;
    await this.settle();
  }

  create(id: string, change: Readonly<Record<string, unknown>> = {}): void {
    this.registry.create(id, spec.parse({ command: 'x', ...change }), 'create', 'test');
    this.registry.update(id, { wanted: 'running' });
  }

  /** Has an instance be in a state, however it came to that. */
  set(id: string, change: Partial<Instance>, number = 1): void {
    const { instances } = this.registry.get(id);
    const changed = instances.map((each) => (each.number === number ? { ...each, ...change } : each));
    this.registry.update(id, { instances: changed } as never);
  }

  fail(id: string, message = 'Process exited with code 1'): void {
    const last_event = this.events.record({ type: 'service.failed', service: id, instance: 1, message }).id;
    const last_exit: LastExit = { return_code: 1, signal: null, at: Date.now(), reason: 'exited', message };
    this.set(id, { state: 'failed', last_exit, last_event });
  }

  mend(id: string): void {
    this.set(id, { state: 'running', last_exit: null });
  }

  measure(values: Partial<Record<SeriesKey, number>>): void {
    this.alerts.observe({
      at: Date.now(),
      values: new Map(Object.entries(values)) as Measurements['values'],
    });
  }

  /** Titles of what was told so far; they are forgotten then. */
  titles(): string[] {
    return this.told.splice(0).map(({ notification }) => notification.title);
  }

  live() {
    return this.alerts.view.list({ limit: 100, maySee: () => true });
  }

  over() {
    return this.alerts.view.history({ limit: 100, maySee: () => true }).alerts;
  }

  #open() {
    const onProblem = (message: string) => this.problems.push(message);
    return {
      events: new EventLog(this.database, onProblem),
      registry: new Registry(new ServiceStore(this.database, () => {}), onProblem),
      deployments: new DeploymentHistory(this.database, onProblem),
    };
  }

  #makeAlerts(): Alerts {
    const { database, registry, events, deployments } = this;
    const onProblem = (message: string) => this.problems.push(message);
    const why = new Why({
      registry,
      events,
      lastLines: async () => {
        await this.onRead();
        return this.lines.map((line) => ({
          time: '2026-01-01T00:00:00.000Z',
          stream: 'stdout',
          level: null,
          line,
        }));
      },
      onProblem,
    });
    return new Alerts({
      database,
      registry,
      events,
      deployments,
      why,
      settings: () => this.config,
      certificates: () => [],
      routers: () => this.routers,
      outbox: {
        recipients: ({ notify }) => this.receivers.filter((name) => notify === null || notify.includes(name)),
        post: (notifier, notification) => this.told.push({ notifier, at: Date.now(), notification }),
      },
      notifiers: () => this.receivers,
      redact: (_service, lines) => lines.map((line) => line.replaceAll('hunter22', '[redacted]')),
      agent: () => ({ hostname: 'host', version: '0', url: 'http://127.0.0.1:1' }),
      onProblem,
      now: () => Date.now() + this.#offset,
    });
  }
}
