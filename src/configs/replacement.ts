import { createHash } from 'node:crypto';
import type { ConfigFile } from '../contract/config_file.ts';
import type { ConfigResult } from '../contract/configs.ts';
import type { OperationResult } from '../contract/services.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { Registry } from '../services/registry.ts';
import { type FileAccess, type FoundFile, largestFile } from './file_access.ts';
import { textOf, unifiedDiff } from './text.ts';
import { type CommandPlace, validateContent } from './validation.ts';
import { sha256Of, type Versions } from './versions.ts';

type Reload = ConfigFile['reload'];

/** What can be done with a service once a file of it was replaced. */
export interface ReloadActions {
  restart(service: string, actor: string): Promise<OperationResult>;
  signal(service: string, signal: NodeJS.Signals, actor: string): Promise<unknown>;
}

interface ReplacementOptions extends ReloadActions {
  readonly service: string;
  readonly file: ConfigFile;
  readonly access: FileAccess;
  readonly versions: Versions;
  readonly registry: Registry;
  placeOf(service: string): CommandPlace;
}

export interface WantedContent {
  readonly content: Buffer;
  /** The file must hold this, or with null not be there; left out: whatever it holds. */
  readonly if_sha256: string | null | undefined;
  /** Left out: what the spec names. */
  readonly reload: Reload | undefined;
  readonly restored_from: number | null;
  readonly actor: string;
}

/** What was done, and the sentence for the event. */
interface Done {
  readonly result: ConfigResult;
  readonly noted: string;
}

/** What became of the service, and what its restart answered. */
interface Reloaded {
  readonly reload: ConfigResult['reload'];
  readonly restarted: OperationResult | null;
}

/** One replacement of one file: check it, write it, let the service take it over, and put all back where that fails. */
export class Replacement {
  readonly #options: ReplacementOptions;

  constructor(options: ReplacementOptions) {
    this.#options = options;
  }

  async run(wanted: WantedContent): Promise<Done> {
    const { access, file, service, versions } = this.#options;
    const { content, actor, restored_from } = wanted;
    refuseTooLarge(content);
    const before = await access.read(file.path);
    if (before?.content.equals(content) && before.mode === this.#mode) return this.#unchanged(wanted);
    this.#refuseOther(before, wanted.if_sha256);
    await this.#validate(content);
    this.#refuseOther(await access.read(file.path), before === null ? null : sha256Of(before.content));
    this.#keepFound(before);
    await this.#write(content, this.#mode);
    const { version, isNew } = this.#versionOf(content, { actor, restored_from });
    const action = wanted.reload ?? file.reload;
    try {
      const { reload } = await this.#reload(action, actor);
      const status = restored_from === null ? 'replaced' : 'rolled_back';
      const what =
        restored_from === null
          ? `"${file.name}" was replaced by version ${version}`
          : `"${file.name}" was rolled back to version ${restored_from}, as version ${version}`;
      const result = this.#result(status, content, {
        version,
        diff: this.#diff(before, content, version),
        reload,
        message: `${what}; ${reload.message}`,
      });
      return { result, noted: `${what} (${file.path}); ${reload.message}` };
    } catch (cause) {
      throw await this.#putBack({ before, content, version: isNew ? version : null, action, actor, cause });
    } finally {
      // A service that was deleted meanwhile leaves nothing behind.
      if (this.#options.registry.find(service) === null) versions.removeAll(service);
    }
  }

  get #mode(): number {
    return Number.parseInt(this.#options.file.mode, 8);
  }

  #unchanged({ content, reload }: WantedContent): Done {
    const { service, file, versions } = this.#options;
    const sha256 = sha256Of(content);
    const version = versions.list(service, file.name).findLast((kept) => kept.sha256 === sha256)?.version;
    const message = `"${file.name}" holds this already; nothing was done`;
    const action = reload ?? file.reload;
    const result = this.#result('unchanged', content, {
      version: version ?? null,
      diff: '',
      reload: { action, done: false, message: 'nothing has changed' },
      message,
    });
    return { result, noted: message };
  }

  #refuseOther(present: FoundFile | null, expected: string | null | undefined): void {
    if (expected === undefined) return;
    const sha256 = present && sha256Of(present.content);
    if (sha256 === expected) return;
    const is = sha256 === null ? 'it is not there' : `its SHA-256 is ${sha256}`;
    const { name } = this.#options.file;
    throw new DavitError(
      'state_conflict',
      `"${name}" is not what was expected: ${is}; read it again and repeat the change`,
    );
  }

  async #validate(content: Buffer): Promise<void> {
    const { file, service, registry, placeOf } = this.#options;
    const { validate: command } = file;
    if (command === null) return;
    const release = registry.get(service).current_release;
    await validateContent({ file, command, service, release }, content, placeOf(service));
  }

  /** Nothing that was written by hand is lost. */
  #keepFound(before: FoundFile | null): void {
    const { service, file, versions } = this.#options;
    if (before === null) return;
    const newest = versions.list(service, file.name).at(-1);
    if (newest?.sha256 === sha256Of(before.content)) return;
    versions.add(service, file.name, before.content, { actor: null, origin: 'found', restored_from: null });
  }

  async #write(content: Buffer, mode: number): Promise<void> {
    const { access, file, service } = this.#options;
    // The same one each time: what an agent left that died in the middle is removed by the next.
    const mark = createHash('sha256').update(`${service}\n${file.name}`).digest('hex').slice(0, 16);
    await access.write(file.path, { content, mode, temporary: `.davit-${mark}` });
  }

  #versionOf(
    content: Buffer,
    facts: { readonly actor: string; readonly restored_from: number | null },
  ): { version: number; isNew: boolean } {
    const { service, file, versions } = this.#options;
    const newest = versions.list(service, file.name).at(-1);
    if (newest?.sha256 === sha256Of(content)) return { version: newest.version, isNew: false };
    const { version } = versions.add(service, file.name, content, { ...facts, origin: 'written' });
    return { version, isNew: true };
  }

  async #reload(action: Reload, actor: string): Promise<Reloaded> {
    const { service, file } = this.#options;
    const left = (message: string) => ({ reload: { action, done: false, message }, restarted: null });
    if (action === 'none') return left('the service was left alone');
    const idle = this.#whyIdle();
    if (idle !== null) return left(idle);
    if (action === 'restart') {
      const restarted = await this.#options.restart(service, actor);
      return { reload: { action, done: true, message: 'the service was restarted' }, restarted };
    }
    try {
      await this.#options.signal(service, file.signal, actor);
    } catch (error) {
      if (!(error instanceof DavitError) || error.code !== 'state_conflict') throw error;
      return left('the service has no process now: it takes effect at its next start');
    }
    const message = `${file.signal} was sent to the service`;
    return { reload: { action, done: true, message }, restarted: null };
  }

  /** Why nothing has to be done with the service; null: something has to. */
  #whyIdle(): string | null {
    const { registry, service } = this.#options;
    const { status, wanted } = registry.status(service);
    if (wanted === 'stopped') return 'the service is stopped: it takes effect at the next start';
    return status === 'scheduled' || status === 'completed'
      ? 'the task does not run now: it takes effect at the next run'
      : null;
  }

  /** Takes file and service back to what they were. Returns the error to be thrown, which tells how that went. */
  async #putBack(failed: {
    readonly before: FoundFile | null;
    readonly content: Buffer;
    /** What was kept of it; null: nothing. */
    readonly version: number | null;
    readonly action: Reload;
    readonly actor: string;
    readonly cause: unknown;
  }): Promise<unknown> {
    const { service, file, versions, access } = this.#options;
    const { before, content, version, action, actor, cause } = failed;
    const fields = cause instanceof DavitError ? cause.fields : {};
    const tell = (how: string, more = {}) =>
      cause instanceof DavitError
        ? new DavitError(cause.code, `${cause.message}; ${how}`, { fields: { ...fields, ...more }, cause })
        : cause;
    try {
      const present = await access.read(file.path);
      if (!present?.content.equals(content))
        return tell(`"${file.name}" was changed by somebody else meanwhile and is left as it is`);
      if (before === null) await access.remove(file.path);
      else await this.#write(before.content, before.mode);
      if (version !== null) versions.drop(service, file.name, version);
    } catch (error) {
      return tell(`"${file.name}" could not be put back: ${errorMessage(error)}`);
    }
    try {
      const { restarted, reload } = await this.#reload(action, actor);
      const restored =
        restarted?.pid === undefined ? null : { release: restarted.release, pid: restarted.pid };
      return tell(`"${file.name}" is as it was, and ${reload.message} with it`, { restored });
    } catch (error) {
      const how = `"${file.name}" is as it was, but that failed with it too: ${errorMessage(error)}`;
      return tell(how, { restored: null });
    }
  }

  /** Null also where one of them is no text. */
  #diff(before: FoundFile | null, content: Buffer, version: number): string | null {
    const { name, path } = this.#options.file;
    try {
      const from = {
        label: before === null ? `${name} (not there)` : `${name} (before)`,
        text: before === null ? '' : textOf(before.content, path),
      };
      return unifiedDiff(from, { label: `${name} (version ${version})`, text: textOf(content, path) });
    } catch {
      return null;
    }
  }

  #result(
    status: ConfigResult['status'],
    content: Buffer,
    facts: Pick<ConfigResult, 'version' | 'diff' | 'reload' | 'message'>,
  ): ConfigResult {
    const { service, file } = this.#options;
    return { status, service, name: file.name, path: file.path, sha256: sha256Of(content), ...facts };
  }
}

function refuseTooLarge(content: Buffer): void {
  if (content.length <= largestFile) return;
  const message = `a configuration file of ${content.length} bytes is more than the ${largestFile} that are taken`;
  throw new DavitError('body_too_large', message);
}
