import { EventEmitter } from 'node:events';
import type { DatabaseSync } from 'node:sqlite';
import type { Deployment } from '../contract/deployments.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';

/** How many deployments of a service are kept, and how many steps of one. */
const keptDeployments = 200;
const keptSteps = 500;

/** What a deployment is when it is asked for. */
type NewDeployment = Pick<Deployment, 'service' | 'actor'>;
/** What becomes known of it. */
export type DeploymentChange = Partial<
  Pick<
    Deployment,
    'status' | 'release' | 'previous_release' | 'strategy' | 'cause' | 'code' | 'started_at' | 'ended_at'
  >
>;

/** The deployments of each service, in SQLite. What cannot be written is told, and keeps no deployment from going on. */
export class DeploymentHistory {
  readonly #onProblem: (message: string) => void;
  readonly #statements;
  /** Those that are not over. */
  readonly #open = new Map<number, Deployment>();
  /** Those that could not be written, as on a full disk; they are with the next one that can. */
  readonly #unwritten = new Map<number, Deployment>();
  readonly #emitter = new EventEmitter();
  #lastId: number;

  constructor(database: DatabaseSync, onProblem: (message: string) => void) {
    this.#onProblem = onProblem;
    const prepare = (sql: string) => database.prepare(sql);
    this.#statements = {
      save: prepare(
        'INSERT INTO deployments (id, service, record) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record',
      ),
      list: prepare('SELECT record FROM deployments WHERE service = ? ORDER BY id DESC LIMIT ?'),
      find: prepare('SELECT record FROM deployments WHERE service = ? AND id = ?'),
      prune: prepare(
        `DELETE FROM deployments WHERE service = :service AND id <= coalesce(
           (SELECT id FROM deployments WHERE service = :service ORDER BY id DESC LIMIT 1 OFFSET ${keptDeployments}), 0)`,
      ),
      forget: prepare('DELETE FROM deployments WHERE service = ?'),
    };
    const row = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'deployments'").get();
    this.#lastId = Number(row?.['seq'] ?? 0);
    for (const { record } of database.prepare('SELECT record FROM deployments').all()) {
      const known = JSON.parse(String(record)) as Deployment;
      if (known.ended_at === null) this.#open.set(known.id, known);
    }
  }

  /** Notes one that waits for its turn. Returns its id. */
  add({ service, actor }: NewDeployment): number {
    const id = ++this.#lastId;
    this.#keep({
      id,
      service,
      actor,
      status: 'waiting',
      release: null,
      previous_release: null,
      strategy: null,
      steps: [],
      cause: null,
      created_at: new Date().toISOString(),
      started_at: null,
      ended_at: null,
    });
    this.#write(() => this.#statements.prune.run({ service }));
    return id;
  }

  update(id: number, change: DeploymentChange): void {
    const known = this.#open.get(id);
    if (known !== undefined) this.#keep({ ...known, ...change });
  }

  addStep(id: number, message: string): void {
    const known = this.#open.get(id);
    if (known === undefined) return;
    const step = { time: new Date().toISOString(), message };
    this.#keep({ ...known, steps: [...known.steps, step].slice(-keptSteps) });
  }

  /** Notes how one ended; `code`: of the error that it failed with. */
  end(id: number, status: Deployment['status'], cause: string | null, code?: string): void {
    const service = this.#open.get(id)?.service;
    const ended_at = new Date().toISOString();
    this.update(id, { status, cause, ended_at, ...(code !== undefined && { code }) });
    if (service !== undefined) this.#emitter.emit('end', service);
  }

  /** Calls `listener` with the service of each deployment that ends, until the returned function is called. */
  subscribe(listener: (service: string) => void): () => void {
    this.#emitter.on('end', listener);
    return () => this.#emitter.off('end', listener);
  }

  /** Calls `listener` with each deployment whose steps or status have changed, until the returned function is called. */
  onChange(listener: (deployment: Deployment) => void): () => void {
    this.#emitter.on('change', listener);
    return () => this.#emitter.off('change', listener);
  }

  /** Those of a service that are not over, oldest first. */
  open(service: string): readonly Deployment[] {
    return [...this.#open.values()].filter((each) => each.service === service);
  }

  /** Notes the end of those that an earlier agent left, but for those that are taken up; `isDone`: of which the release is current. */
  endLost(isTakenUp: (id: number) => boolean, isDone: (deployment: Deployment) => boolean): void {
    for (const deployment of [...this.#open.values()]) {
      const { id, status } = deployment;
      if (isTakenUp(id)) continue;
      if (isDone(deployment)) this.end(id, 'succeeded', null);
      else if (status === 'waiting') this.end(id, 'cancelled', 'the agent ended before its turn came');
      else this.end(id, 'failed', 'the agent ended in the midst of it');
    }
  }

  /** The newest first. */
  list(service: string, limit: number): Deployment[] {
    const written = this.#statements.list
      .all(service, limit)
      .map(({ record }) => JSON.parse(String(record)) as Deployment)
      .filter(({ id }) => !this.#unwritten.has(id));
    const others = [...this.#unwritten.values()].filter((each) => each.service === service);
    return [...others, ...written].sort((a, b) => b.id - a.id).slice(0, limit);
  }

  /** Throws `deployment_not_found`. */
  get(service: string, id: number): Deployment {
    const found = this.find(service, id);
    if (found !== null) return found;
    throw new DavitError('deployment_not_found', `service "${service}" has no deployment ${id}`);
  }

  /** null where there is none. */
  find(service: string, id: number): Deployment | null {
    const known = this.#unwritten.get(id);
    if (known?.service === service) return known;
    const row = this.#statements.find.get(service, id);
    return row === undefined ? null : (JSON.parse(String(row['record'])) as Deployment);
  }

  forget(service: string): void {
    for (const known of [this.#open, this.#unwritten])
      for (const deployment of known.values())
        if (deployment.service === service) known.delete(deployment.id);
    this.#write(() => this.#statements.forget.run(service));
  }

  #keep(deployment: Deployment): void {
    const { id, ended_at } = deployment;
    if (ended_at === null) this.#open.set(id, deployment);
    else this.#open.delete(id);
    this.#unwritten.set(id, deployment);
    this.#write(() => {
      for (const each of [...this.#unwritten.values()]) {
        this.#statements.save.run(each.id, each.service, JSON.stringify(each));
        this.#unwritten.delete(each.id);
      }
    });
    for (const oldest of this.#unwritten.keys()) {
      if (this.#unwritten.size <= keptDeployments) break;
      this.#unwritten.delete(oldest);
    }
    this.#emitter.emit('change', deployment);
  }

  #write(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onProblem(`a deployment cannot be noted: ${errorMessage(error)}`);
    }
  }
}
