import type { Event } from '../contract/events.ts';
import type { LiveDeployment, LiveService } from '../contract/live.ts';
import type { DeploymentHistory } from '../services/deployment_history.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import { LiveReader } from './live_reader.ts';
import { eventText } from './live_streams.ts';
import { LiveView, type Overview } from './live_view.ts';
import type { Principal } from './permission.ts';

export interface LiveChangesOptions {
  readonly registry: Pick<Registry, 'find' | 'show' | 'subscribe'>;
  readonly events: EventLog;
  readonly deployments: Pick<DeploymentHistory, 'onChange' | 'find'>;
  readonly overview: Overview;
  /** Has a listener called whenever everything was measured. */
  readonly onMeasured: (listener: () => void) => void;
  /** Has a listener called whenever alerts may have changed. */
  readonly onAlerts: (listener: () => void) => void;
}

/** Everything that changes, told to each reader at its own pace; what many of them get is made once. */
export class LiveChanges {
  readonly #options: LiveChangesOptions;
  readonly #readers = new Set<LiveReader>();
  readonly #views = new Map<string, LiveView>();
  /** The messages of services that have not changed since they were made. */
  readonly #services = new Map<string, Buffer>();

  constructor(options: LiveChangesOptions) {
    this.#options = options;
    const { registry, events, deployments, onMeasured, onAlerts } = options;
    registry.subscribe((id) => this.#serviceChanged(id));
    deployments.onChange(({ service, id }) => this.#tell((reader) => reader.noteDeployment(service, id)));
    events.subscribe((event) => this.#happened(event));
    onAlerts(() => this.#alertsChanged());
    onMeasured(() => {
      for (const view of this.#views.values()) view.measured();
      this.#tell((reader) => reader.noteMeasured());
      this.#alertsChanged();
    });
  }

  /** What changes from now on, as messages, and first the events after `after` where one is given; null: an event that is not known. */
  async *follow(
    principal: Principal,
    after: number | null | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    const key = LiveView.key(principal);
    const view = this.#views.get(key) ?? new LiveView(this.#options.overview, principal);
    this.#views.set(key, view);
    view.readers += 1;
    const { events } = this.#options;
    const reader = new LiveReader({ principal, events, view, changes: this }, after);
    this.#readers.add(reader);
    try {
      yield* reader.read(signal);
    } finally {
      this.#readers.delete(reader);
      view.readers -= 1;
      if (view.readers === 0) this.#views.delete(key);
      if (this.#readers.size === 0) this.#services.clear();
    }
  }

  /** The message that tells a service as it is now. */
  service(id: string): Buffer {
    const known = this.#services.get(id);
    if (known !== undefined) return known;
    const { registry } = this.#options;
    const data: LiveService = { id, service: registry.find(id) === null ? null : registry.show(id) };
    const text = Buffer.from(eventText({ event: 'service', data }));
    if (data.service !== null) this.#services.set(id, text);
    return text;
  }

  /** The message that tells a deployment as it is now; null when it is not kept any more. */
  deployment(service: string, id: number): Buffer | null {
    const deployment = this.#options.deployments.find(service, id);
    if (deployment === null) return null;
    const data: LiveDeployment = { service, deployment };
    return Buffer.from(eventText({ event: 'deployment', data }));
  }

  #happened(event: Event): void {
    this.#tell((reader) => reader.noteEvent(event));
    if (event.service !== null) this.#serviceChanged(event.service);
  }

  #serviceChanged(id: string): void {
    this.#services.delete(id);
    this.#tell((reader) => reader.noteService(id));
  }

  #alertsChanged(): void {
    for (const view of this.#views.values()) view.alertsChanged();
    this.#tell((reader) => reader.noteAlerts());
  }

  #tell(note: (reader: LiveReader) => void): void {
    for (const reader of this.#readers) note(reader);
  }
}
