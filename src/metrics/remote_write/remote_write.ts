import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { RemoteWriteConfig } from '../../config/metrics.ts';
import { errorMessage, systemErrorCode } from '../../lib/errors.ts';
import { milliseconds } from '../../lib/units.ts';
import type { Exposition } from '../exposition/exposition.ts';
import { Complaints } from './complaints.ts';
import { addOwnMetrics } from './own_metrics.ts';
import { Receiver, type SentValue } from './receiver.ts';
import { RequestFolder } from './request_folder.ts';
import { type SeriesValue, seriesValues } from './series.ts';
import { SeriesEnds } from './series_ends.ts';
import { WriteRequests } from './write_request.ts';

interface RemoteWriteOptions {
  /** What it shows is sent; what remote write tells of itself is added to it. */
  readonly exposition: Pick<Exposition, 'registry' | 'metrics'>;
  /** Where the queues are, each in a folder by the name of its receiver. */
  readonly folder: string;
  /** The name of this host. */
  readonly host: string;
  /** The receivers, as they are now. */
  readonly receivers: () => readonly RemoteWriteConfig[];
  /** Why a receiver gets nothing; null: it does again. */
  readonly onFailing: (receiver: string, message: string | null) => void;
  readonly onProblem: (message: string) => void;
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
}

/** How long the last samples may take at the end of the agent, in milliseconds. */
const patienceAtEnd = 1_000;
/** How long a disk may take then, in milliseconds. */
const patienceForDisk = 1_500;
/** For how many milliseconds metrics are read at a stretch. */
const longestSlice = 10;

/** Sends the metrics of the agent to receivers of Prometheus remote write, at each tick. */
export class RemoteWrite {
  readonly #options: RemoteWriteOptions;
  readonly #now: () => number;
  readonly #requests = new WriteRequests();
  readonly #receivers = new Map<string, Receiver>();
  readonly #ends = new SeriesEnds();
  readonly #complaints: Complaints;
  #changes: Promise<void> = Promise.resolve();
  /** The tick whose metrics are to be read next. */
  #due: number | null = null;
  #isReading = false;
  #reading: Promise<void> = Promise.resolve();
  /** The time of the newest samples that were handed on. */
  #newest = 0;
  #clockProblem: string | null = null;

  constructor(options: RemoteWriteOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#complaints = new Complaints((message) => options.onProblem(`remote_write: ${message}`));
    addOwnMetrics(options.exposition.metrics, () => [...this.#receivers.values()].map(({ view }) => view));
  }

  /** What somebody should know, in sentences. */
  get warnings(): string[] {
    const all = [...this.#receivers.values()].flatMap(({ warnings }) => warnings);
    return this.#clockProblem === null ? all : [...all, `remote_write: ${this.#clockProblem}`];
  }

  /** Takes up what waits, and begins to send it. What waits for receivers that are not configured any more is removed. */
  begin(): void {
    this.reload();
  }

  /** The receivers may be others. Returns at once. */
  reload(): void {
    this.#changes = this.#changes
      .then(() => this.#configure())
      .catch((error) => this.#options.onProblem(`remote_write: ${errorMessage(error)}`));
  }

  /** Sends what the registry holds as it is now, as samples of the time `at` (milliseconds since the epoch). Returns at once. */
  observe(at: number): void {
    if (this.#receivers.size === 0 || !this.#isNewer(at)) return;
    if (this.#due !== null) this.#complaints.tell('slow', 'metrics take longer than an interval to read');
    this.#due = at;
    if (!this.#isReading) this.#reading = this.#readDue();
  }

  /** Sends what can be sent in a moment; the rest waits for the next agent. */
  async close(): Promise<void> {
    // The last tick belongs to it.
    const closed = Promise.all([this.#changes, this.#reading]).then(() =>
      Promise.all([...this.#receivers.values()].map((receiver) => receiver.close(patienceAtEnd))),
    );
    await Promise.race([closed, sleep(patienceAtEnd + patienceForDisk, undefined, { ref: false })]);
  }

  /** Never rejects. */
  async #readDue(): Promise<void> {
    this.#isReading = true;
    for (let at = this.#due; at !== null; at = this.#due) {
      this.#due = null;
      try {
        await this.#read(at);
      } catch (error) {
        this.#complaints.tell('send', `metrics cannot be sent: ${errorMessage(error)}`);
      }
    }
    this.#isReading = false;
  }

  async #read(at: number): Promise<void> {
    const present = await this.#present();
    const ends = this.#ends.take(present).map((labels) => ({ labels, value: 'stale' as const }));
    const values: SentValue[] = [...present, ...ends];
    for (const receiver of this.#receivers.values()) await receiver.push(values, at);
  }

  /** All that is shown now. There may be many: others get their turn in between. */
  async #present(): Promise<SeriesValue[]> {
    const all: SeriesValue[] = [];
    let slice = performance.now();
    const { registry } = this.#options.exposition;
    for (const { name } of registry.getMetricsAsArray()) {
      for (const value of await this.#seriesOf(name)) all.push(value);
      if (performance.now() - slice < longestSlice) continue;
      await nextTurn();
      slice = performance.now();
    }
    return all;
  }

  /** Where a metric cannot be read, the others are sent none the less. */
  async #seriesOf(name: string): Promise<SeriesValue[]> {
    try {
      const metric = await this.#options.exposition.registry.getSingleMetric(name)?.get();
      return metric ? seriesValues(metric) : [];
    } catch (error) {
      this.#complaints.tell('read', `${name} cannot be read: ${errorMessage(error)}`);
      return [];
    }
  }

  /**
   * Receivers refuse samples that are older than what they have, so that after the clock was set back nothing is sent
   * until it has passed that time again; unless it was so far ahead that nobody would wait for that.
   */
  #isNewer(at: number): boolean {
    const ahead = this.#newest - at;
    const ages = this.#options.receivers().map(({ queue_age }) => milliseconds(queue_age));
    const isNewer = ahead < 0 || ahead > Math.min(...ages);
    if (isNewer) this.#newest = at;
    const until = new Date(this.#newest).toISOString();
    this.#clockProblem = isNewer
      ? null
      : `the clock was set back: no samples are sent before ${until}, of which time some were sent already`;
    if (this.#clockProblem !== null) this.#complaints.tell('clock', this.#clockProblem);
    return isNewer;
  }

  async #configure(): Promise<void> {
    const wanted = this.#options.receivers();
    const names = new Set(wanted.map(({ name }) => name));
    for (const name of this.#receivers.keys()) if (!names.has(name)) await this.#remove(name);
    for (const config of wanted) {
      const known = this.#receivers.get(config.name);
      if (known) await known.configure(config);
      else this.#add(config);
    }
    if (wanted.length === 0) this.#clockProblem = null;
    await this.#removeStrangers(names);
  }

  #add(config: RemoteWriteConfig): void {
    const { folder, host, onProblem } = this.#options;
    const receiver = new Receiver({
      config,
      host,
      folder: join(folder, config.name),
      requests: this.#requests,
      now: this.#now,
      onFailing: (message) => this.#tellFailing(config.name, message),
      onProblem,
    });
    this.#receivers.set(config.name, receiver);
    this.#newest = Math.max(this.#newest, receiver.newest);
  }

  /** Whoever is told may be in trouble, too, which must hinder no sending. */
  #tellFailing(receiver: string, message: string | null): void {
    try {
      this.#options.onFailing(receiver, message);
    } catch (error) {
      this.#complaints.tell('alert', `no alert can be made of a failing receiver: ${errorMessage(error)}`);
    }
  }

  async #remove(name: string): Promise<void> {
    const receiver = this.#receivers.get(name);
    this.#receivers.delete(name);
    await receiver?.forget();
  }

  /** What waits for receivers that are not configured, also since an earlier agent. Nothing else is touched. */
  async #removeStrangers(names: ReadonlySet<string>): Promise<void> {
    const { folder, onProblem } = this.#options;
    try {
      for (const name of await foldersIn(folder)) {
        if (names.has(name) || !(await new RequestFolder(join(folder, name)).clear())) continue;
        onProblem(`remote_write ${name}: it is not configured any more; what waited for it is removed`);
      }
    } catch (error) {
      onProblem(`remote_write: what waited cannot be removed: ${errorMessage(error)}`);
    }
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
