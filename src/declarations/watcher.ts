import { createHash } from 'node:crypto';
import { sep } from 'node:path';
import { longestDeclaration } from '../contract/declaration.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import { fullAuthority } from '../services/seal.ts';
import { type Declarations, outcomeSummary } from './declarations.ts';
import { Draft } from './draft.ts';
import type { AppliedFile, DeclarationMemory } from './memory.ts';
import { readTrusted } from './trusted_file.ts';
import { findWatchedFiles, readWatched, type WatchedFile, type WatchSettings } from './watched_files.ts';

interface WatcherOptions {
  readonly declarations: Declarations;
  readonly registry: Registry;
  readonly events: EventLog;
  readonly memory: DeclarationMemory;
  readonly settings: () => WatchSettings & { readonly declarations_prune: boolean };
  readonly onProblem: (message: string) => void;
  /** Milliseconds from one look to the next. Default 1000. */
  readonly interval?: number;
}

/** What was seen of a file so far. */
interface Sight {
  readonly signature: string;
  /** How often in a row it looked like this. */
  readonly looks: number;
}

/** Why the present content of a file was not applied. */
interface Refusal {
  readonly hash: string;
  readonly message: string;
  /** Of the specs of all services at that time: what was wrong may be right beside others. */
  readonly version: number;
}

/** Looks in a row in which a file must be the same before it is read; more where its last line is not ended. */
const steadyLooks = 2;
const steadyLooksUnended = 6;
/** How many places of a file an event names. */
const shownPlaces = 10;
/** Every so many looks a refused file is tried again: the folders around it may be right now. */
const retryLooks = 30;
/** Looks in a row in which a file must be missing before it counts as removed. */
const missingLooks = 3;

/**
 * Applies the files of the folders that the configuration names, each when its content changes. A file that is half
 * written or wrong changes nothing: what runs stays. What it was last is remembered when the agent ends.
 */
export class DeclarationWatcher {
  readonly #options: WatcherOptions;
  readonly #sights = new Map<string, Sight>();
  readonly #refusals = new Map<string, Refusal>();
  readonly #missing = new Map<string, number>();
  #trouble: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** Looks now, and from then on at intervals. */
  start(): void {
    this.#look = this.#lookOnce().finally(() => {
      if (this.#isClosed) return;
      this.#timer = setTimeout(() => this.start(), this.#options.interval ?? 1_000);
      this.#timer.unref();
    });
  }

  /** Ends the looks; resolves when what was begun has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#look;
  }

  async #lookOnce(): Promise<void> {
    const settings = this.#options.settings();
    if (settings.declarations === null && settings.workspace === null) return;
    try {
      const { files, folders } = await findWatchedFiles(settings);
      const present = new Set(files.map(({ file }) => file));
      for (const watched of files) {
        if (this.#isClosed) return;
        await this.#consider(watched, present);
      }
      await this.#considerMissing(present, folders);
      this.#tell(null);
    } catch (error) {
      // Nothing is known of the files, so nothing is done.
      this.#tell(`declared services cannot be watched: ${errorMessage(error)}`);
    }
  }

  async #consider(watched: WatchedFile, present: ReadonlySet<string>): Promise<void> {
    const { file, signature } = watched;
    const { registry } = this.#options;
    const before = this.#sights.get(file);
    const looks = before?.signature === signature ? before.looks + 1 : 1;
    this.#sights.set(file, { signature, looks });
    const refusal = this.#refusals.get(file);
    const mayBeRightNow =
      refusal !== undefined && (refusal.version !== registry.specsVersion || looks % retryLooks === 0);
    const isDue =
      looks === steadyLooks || looks === steadyLooksUnended || (looks > steadyLooks && mayBeRightNow);
    if (!isDue) return;
    let hash = signature;
    try {
      const source = await readTrusted(file, longestDeclaration);
      // JSON that is cut off cannot be read; of YAML, the end may just be missing.
      const mayBeCutOff = watched.kind !== 'package' && !source.endsWith('\n');
      if (mayBeCutOff && looks < steadyLooksUnended) return;
      hash = createHash('sha256').update(source).digest('hex');
      if (this.#options.memory.applied[file]?.hash === hash) return void this.#refusals.delete(file);
      if (refusal?.hash === hash && !mayBeRightNow) return;
      const draft = readWatched(watched, source);
      if (draft === null) return await this.#forget(file, 'declares nothing any more', present);
      await this.#apply(file, draft, hash, present);
    } catch (error) {
      this.#refuse(file, hash, reasonOf(file, error));
    }
  }

  async #apply(file: string, draft: Draft, hash: string, present: ReadonlySet<string>): Promise<void> {
    const { declarations, events, memory, settings } = this.#options;
    const ownerOf = (name: string) => this.#presentOwner(name, file, present);
    const owner = ownerOf(draft.name);
    if (owner !== null)
      throw new DavitError('state_conflict', `${file}: the name "${draft.name}" is that of ${owner}`);
    const actor = `file:${file}`;
    const { plan, outcomes } = await declarations.apply(draft, {
      prune: settings().declarations_prune,
      plan: null,
      actor,
      authorize: (id) => this.#refuseOther(id, draft.name, file, ownerOf),
      mayName: () => true,
      authorityOf: () => fullAuthority,
    });
    memory.note(file, { hash, name: draft.name });
    this.#refusals.delete(file);
    const failed = outcomes.filter(({ outcome }) => outcome === 'failed');
    const causes = failed.map(({ service, cause }) => `${service}: ${errorMessage(cause)}`);
    if (!plan.changes) return;
    const message = [`${file} was applied: ${outcomeSummary(outcomes)}`, ...causes].join('; ');
    events.record({ type: 'declaration.applied', actor, message });
    if (failed.length > 0) this.#options.onProblem(message);
  }

  /** Two files must not take a service from each other for ever. */
  #refuseOther(id: string, name: string, file: string, ownerOf: (name: string) => string | null): void {
    const declaredIn = this.#options.registry.find(id)?.declared_in ?? null;
    const owner = declaredIn === null || declaredIn === name ? null : ownerOf(declaredIn);
    if (owner !== null)
      throw new DavitError('state_conflict', `${file}: the service "${id}" is declared in ${owner} already`);
  }

  /** The other file that is there and was applied under a name. */
  #presentOwner(name: string, file: string, present: ReadonlySet<string>): string | null {
    const found = Object.entries(this.#options.memory.applied).find(
      ([other, applied]) => other !== file && applied.name === name && present.has(other),
    );
    return found?.[0] ?? null;
  }

  #refuse(file: string, hash: string, reason: string): void {
    const { events, registry, onProblem } = this.#options;
    const before = this.#refusals.get(file);
    const message = `${reason.startsWith(file) ? reason : `${file}: ${reason}`}; what runs stays as it is`;
    this.#refusals.set(file, { hash, message, version: registry.specsVersion });
    if (before?.hash === hash && before.message === message) return;
    events.record({ type: 'declaration.refused', message });
    onProblem(message);
  }

  async #considerMissing(present: ReadonlySet<string>, folders: readonly string[]): Promise<void> {
    for (const file of this.#sights.keys()) if (!present.has(file)) this.#sights.delete(file);
    for (const file of this.#refusals.keys()) if (!present.has(file)) this.#refusals.delete(file);
    // What lies in a folder that is not watched any more is not known to be gone.
    const isWatched = (file: string) => folders.some((folder) => file.startsWith(folder + sep));
    for (const file of Object.keys(this.#options.memory.applied).filter(isWatched)) {
      const looks = present.has(file) ? 0 : (this.#missing.get(file) ?? 0) + 1;
      this.#missing.set(file, looks);
      if (looks < missingLooks) continue;
      this.#missing.delete(file);
      await this.#forget(file, 'is not there any more', present);
    }
  }

  /** What a file declared that is gone stays, unless the configuration says otherwise. */
  async #forget(file: string, what: string, present: ReadonlySet<string>): Promise<void> {
    const { memory, events, settings, onProblem } = this.#options;
    const applied: AppliedFile | undefined = memory.applied[file];
    if (applied === undefined) return;
    const isPruned =
      settings().declarations_prune && this.#presentOwner(applied.name, file, present) === null;
    memory.forget(file);
    const becomes = isPruned ? 'what it declared is deleted' : 'what it declared stays';
    events.record({ type: 'declaration.removed', message: `${file} ${what}; ${becomes}` });
    if (!isPruned) return;
    const { outcomes } = await this.#options.declarations.apply(
      new Draft(`name: ${applied.name}\nservices: {}\n`, file),
      {
        prune: true,
        plan: null,
        actor: `file:${file}`,
        authorize: () => {},
        mayName: () => true,
        authorityOf: () => fullAuthority,
      },
    );
    for (const { outcome, service, cause } of outcomes)
      if (outcome === 'failed') onProblem(`${file}: ${service} was not deleted: ${errorMessage(cause)}`);
  }

  #tell(trouble: string | null): void {
    if (trouble !== null && trouble !== this.#trouble) this.#options.onProblem(trouble);
    this.#trouble = trouble;
  }
}

/** What is wrong with a file, place by place. */
function reasonOf(file: string, error: unknown): string {
  const details = error instanceof DavitError ? error.details : [];
  if (details.length < 2) return errorMessage(error);
  const shown = details
    .slice(0, shownPlaces)
    .map(
      ({ line, column, path, message }) =>
        `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`,
    );
  const more = details.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
