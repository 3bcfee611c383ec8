import type { AlertEvent } from '../../contract/alerts.ts';
import type { Deployment } from '../../contract/deployments.ts';
import type { Event } from '../../contract/events.ts';
import type { Measurements } from '../../contract/series.ts';
import type { DeploymentHistory } from '../../services/deployment_history.ts';
import type { EventLog } from '../../services/event_log.ts';
import type { Registry } from '../../services/registry.ts';
import type { WatchedRule } from '../watched_rule.ts';
import { AgentEnd } from './agent_end.ts';
import { Certificates } from './certificates.ts';
import { DeliveryFailures } from './delivery_failures.ts';
import { type Outcomes, outcomesOf } from './deployment_outcomes.ts';
import { diskSpace } from './disk_space.ts';
import { type Finding, finding, type IsKnown, type Look, nothing } from './finding.ts';
import { LogShortage } from './log_shortage.ts';
import { RestartTimes } from './restart_times.ts';
import { failedInstances, unhealthyInstances } from './service_conditions.ts';

export interface DetectorsOptions {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly deployments: DeploymentHistory;
  /** The files of the certificates in use, as they are now. */
  readonly certificates: () => readonly string[];
  /** Whether there is to be a router, and how many are connected. */
  readonly routers: () => { readonly configured: boolean; readonly connected: number };
  readonly now: number;
}

/** What is asked of a detector; `service` is empty where the rule is about no service. */
export interface Question {
  readonly rule: WatchedRule;
  readonly service: string;
  readonly isKnown: IsKnown;
  readonly now: number;
}

/** Says what is so now. null: it is not known yet, and what was found stays. */
type Detector = (question: Question) => Look | null;

/** How many deployments of a service are looked at: enough to find the last that succeeded. */
const lookedThrough = 50;

/** What finds out whether the events of alert rules are so. Those of services are asked of services that there are. */
export class Detectors {
  readonly restarts: RestartTimes;
  readonly shortage = new LogShortage();
  readonly certificates: Certificates;
  readonly deliveries = new DeliveryFailures();
  readonly #agentEnd: AgentEnd;
  readonly #options: DetectorsOptions;
  readonly #table: Readonly<Record<AlertEvent, Detector>>;
  /** By service, as long as no deployment of it ends. */
  readonly #outcomes = new Map<string, Readonly<Record<keyof Outcomes, Look>>>();
  #measured: Measurements | null = null;
  #started: number | null = null;

  /** To be made before this agent notes its own start. */
  constructor(options: DetectorsOptions) {
    this.#options = options;
    const { registry, events, certificates, now } = options;
    this.restarts = new RestartTimes(events);
    this.certificates = new Certificates(certificates);
    this.#agentEnd = new AgentEnd(events, now);
    this.#table = {
      service_failed: ({ service, isKnown }) =>
        only(failedInstances(registry.get(service), registry.spec(service), isKnown)),
      restart_loop: ({ service, rule: { count, window_ms: window }, now }) =>
        registry.get(service).wanted === 'stopped'
          ? nothing
          : this.restarts.look(service, { count, window, now }),
      unhealthy: ({ service, isKnown }) => only(unhealthyInstances(registry.get(service), isKnown)),
      deployment_failed: ({ service }) => this.#deployment(service, 'failed'),
      deployment_rolled_back: ({ service }) => this.#deployment(service, 'rolled_back'),
      disk_low: ({ isKnown }) => diskSpace(this.#measured, isKnown(null, null)),
      log_quota_reached: ({ service, now }) => this.shortage.look(service, now),
      agent_restarted: ({ now }) => this.#agentEnd.look(this.#started, now),
      certificate_expiring: ({ rule: { within_ms }, isKnown, now }) =>
        this.certificates.look(within_ms, isKnown, now),
      router_missing: () => this.#routers(),
      delivery_failing: () => this.deliveries.look(),
    };
  }

  /** Takes up what happened while earlier agents ran. */
  begin(): void {
    const { events } = this.#options;
    this.#started = events.list({ type: 'agent.started', limit: 1, visible: () => true })[0]?.id ?? null;
    this.restarts.begin();
  }

  observe(measured: Measurements): void {
    this.#measured = measured;
  }

  look(event: AlertEvent, question: Question): Look | null {
    return this.#table[event](question);
  }

  #routers(): Look {
    const { configured, connected } = this.#options.routers();
    if (!configured || connected > 0) return nothing;
    return only([finding({ summary: 'no router is connected: requests reach no service' })]);
  }

  /** A deployment of a service has ended. */
  deployed(service: string): void {
    this.#outcomes.delete(service);
  }

  /** There is no such service any more. */
  forget(service: string): void {
    this.#outcomes.delete(service);
    this.shortage.forget(service);
  }

  #deployment(service: string, kind: keyof Outcomes): Look {
    const known = this.#outcomes.get(service) ?? this.#readDeployments(service);
    this.#outcomes.set(service, known);
    return known[kind];
  }

  #readDeployments(service: string): Readonly<Record<keyof Outcomes, Look>> {
    const { deployments } = this.#options;
    // With most of them the last one succeeded, and the others need not be read.
    const isWell = deployments.list(service, 1).every(({ status }) => status === 'succeeded');
    const { failed, rolled_back } = outcomesOf(isWell ? [] : deployments.list(service, lookedThrough));
    const lookOf = (found: readonly Deployment[]) =>
      only(found.map((deployment) => this.#deploymentFinding(deployment)));
    return { failed: lookOf(failed), rolled_back: lookOf(rolled_back) };
  }

  /** Each is told by itself. */
  #deploymentFinding(deployment: Deployment): Finding {
    const { id, service, release, ended_at } = deployment;
    const visible = (event: Event) => event.release === release;
    const [event] = this.#options.events.list({ service, type: 'deployment.failed', limit: 1, visible });
    return finding({
      subject: `deployment ${id}`,
      summary: deploymentSummary(deployment),
      event: event?.id ?? null,
      since: ended_at === null ? null : Date.parse(ended_at),
    });
  }
}

function deploymentSummary({ service, release, cause, code }: Deployment): string {
  const of =
    release === null ? `a deployment of ${service}` : `the deployment of release ${release} of ${service}`;
  return `${of} ${code === 'release_worse' ? 'was taken back' : 'failed'}: ${cause}`;
}

function only(findings: Look['findings']): Look {
  return findings.length === 0 ? nothing : { findings, again_at: null };
}
