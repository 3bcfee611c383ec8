import type { ConfigFile } from '../contract/config_file.ts';
import type {
  ConfigContent,
  ConfigDiff,
  ConfigList,
  ConfigResult,
  ConfigSummary,
  ConfigVersion,
  ConfigVersionContent,
  ConfigVersionList,
} from '../contract/configs.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { KeyedLock } from '../lib/keyed_lock.ts';
import { closestName } from '../lib/validation.ts';
import { resolveAccount } from '../processes/account.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import { AccountFiles } from './account_files.ts';
import type { FileAccess, FoundFile } from './file_access.ts';
import { OwnFiles } from './own_files.ts';
import { type ReloadActions, Replacement, type WantedContent } from './replacement.ts';
import { type Side, textOf, unifiedDiff } from './text.ts';
import { type CommandPlace, removeLeftovers } from './validation.ts';
import { type KeptVersion, sha256Of, Versions } from './versions.ts';

export interface ConfigsOptions extends ReloadActions {
  /** Where the versions are kept: a folder of the agent alone. */
  readonly directory: string;
  readonly registry: Registry;
  readonly events: EventLog;
  /** Where, with which environment and as whom a command of a service runs. Throws `spawn_failed`. */
  placeOf(service: string): CommandPlace;
}

/** What is to be done with a file of a service, and who asks for it. */
interface Order extends Pick<WantedContent, 'if_sha256' | 'reload' | 'actor'> {
  readonly service: string;
  readonly name: string;
}

/**
 * The configuration files that specs name: read and replaced with the rights of the service's account. Replacements of
 * the files of one service run one after another; they hold no lock of the service, whose restart needs that.
 */
export class Configs {
  readonly #options: ConfigsOptions;
  readonly #versions: Versions;
  readonly #lock = new KeyedLock();

  constructor(options: ConfigsOptions) {
    this.#options = options;
    this.#versions = new Versions(options.directory);
  }

  /** Every file of a service, without its content. */
  async list(service: string): Promise<ConfigList> {
    const configs: ConfigSummary[] = [];
    for (const file of this.#options.registry.spec(service).configs)
      configs.push(await this.#summary(service, file));
    return { service, configs };
  }

  /** One file with its content. Throws `config_not_found`, and `config_unusable` where it is no text or cannot be read. */
  async show(service: string, name: string): Promise<ConfigContent> {
    const { path } = this.#file(service, name);
    const found = await this.#access(service).read(path);
    if (found === null)
      throw new DavitError('config_not_found', `"${name}" of service "${service}" is not there yet: ${path}`);
    const content = textOf(found.content, path);
    return { service, name, path, content, ...this.#facts(service, name, found) };
  }

  /** Newest first. */
  async versions(service: string, name: string): Promise<ConfigVersionList> {
    const { path } = this.#file(service, name);
    const kept = this.#versions.list(service, name);
    const found = await this.#access(service)
      .read(path)
      .catch(() => null);
    const { version } = this.#facts(service, name, found);
    return { service, name, versions: kept.map((one) => shown(one, version)).toReversed() };
  }

  /** One version with its content. Throws `config_not_found`. */
  async version(service: string, name: string, version: number): Promise<ConfigVersionContent> {
    const { versions } = await this.versions(service, name);
    const content = textOf(this.#versions.content(service, name, version), `version ${version} of "${name}"`);
    const facts = versions.find((one) => one.version === version);
    return { ...(facts ?? shown(this.#versions.find(service, name, version), null)), content };
  }

  /** What differs between two versions, or the newest version and the file as it is. Throws `config_not_found`. */
  async diff(service: string, name: string, from?: number, to?: number): Promise<ConfigDiff> {
    this.#file(service, name);
    const first = from ?? this.#versions.list(service, name).at(-1)?.version ?? null;
    const before = first === null ? nothing(name) : this.#versionSide(service, name, first);
    const after =
      to === undefined ? await this.#presentSide(service, name) : this.#versionSide(service, name, to);
    return { service, name, from: first, to: to ?? null, diff: unifiedDiff(before, after) };
  }

  /**
   * Replaces a file, unless it holds this already, and lets the service take it over. Throws `validation_failed`,
   * `state_conflict` when it is not the file that was expected, `config_unusable`, or what the service did not start
   * for; what was there is there again then.
   */
  replace(order: Order, text: string): Promise<ConfigResult> {
    const content = Buffer.from(text, 'utf8');
    return this.#replace(order, () => ({ content, restored_from: null }));
  }

  /** Makes a version the content again. Throws as `replace` does, and `config_not_found`. */
  rollback(order: Order, version: number | undefined): Promise<ConfigResult> {
    const { service, name } = order;
    return this.#replace(order, async () => {
      const restored_from = version ?? (await this.#versionBefore(service, name));
      return { content: this.#versions.content(service, name, restored_from), restored_from };
    });
  }

  /** Forgets all versions of a service that is deleted. */
  removeAll(service: string): void {
    this.#versions.removeAll(service);
  }

  /** Removes what an agent left that ended while it deleted a service, or checked a content. */
  tidy(): void {
    removeLeftovers();
    this.#versions.keepOnly(new Set(this.#options.registry.services().map(({ id }) => id)));
  }

  #replace(
    { service, name, ...order }: Order,
    wanted: () =>
      | Pick<WantedContent, 'content' | 'restored_from'>
      | Promise<Pick<WantedContent, 'content' | 'restored_from'>>,
  ): Promise<ConfigResult> {
    return this.#lock.run(service, async () => {
      const file = this.#file(service, name);
      const { events } = this.#options;
      try {
        const replacement = new Replacement({
          ...this.#options,
          service,
          file,
          access: this.#access(service),
          versions: this.#versions,
        });
        const { actor } = order;
        const { result, noted } = await replacement.run({ ...order, ...(await wanted()) });
        if (result.status !== 'unchanged')
          events.record({ type: `config.${result.status}`, service, actor, message: noted });
        return result;
      } catch (error) {
        const message = `"${name}" was not replaced: ${errorMessage(error)}`;
        events.record({ type: 'config.refused', service, actor: order.actor, message });
        throw error;
      }
    });
  }

  /** Throws `service_not_found` or `config_not_found`, with the name that was probably meant. */
  #file(service: string, name: string): ConfigFile {
    const { configs } = this.#options.registry.spec(service);
    const file = configs.find((config) => config.name === name);
    if (file !== undefined) return file;
    const names = configs.map((config) => config.name);
    const meant = closestName(name, names);
    const others = names.length === 0 ? 'its spec names none (configs)' : `it has ${names.join(', ')}`;
    const hint = meant === null ? others : `did you mean "${meant}"?`;
    throw new DavitError(
      'config_not_found',
      `service "${service}" has no configuration file "${name}"; ${hint}`,
    );
  }

  /** With the rights that the service's processes have, and no others. */
  #access(service: string): FileAccess {
    const { user, group } = this.#options.registry.spec(service);
    const account = resolveAccount(user, group);
    return account.switch_to === null ? new OwnFiles() : new AccountFiles(account);
  }

  async #summary(service: string, file: ConfigFile): Promise<ConfigSummary> {
    const { name, path, mode, validate, reload, signal } = file;
    let found: FoundFile | null = null;
    let problem: string | null = null;
    try {
      found = await this.#access(service).read(path);
    } catch (error) {
      problem = errorMessage(error);
    }
    return {
      name,
      path,
      mode,
      validated: validate !== null,
      reload,
      signal: reload === 'signal' ? signal : null,
      exists: found !== null,
      ...this.#facts(service, name, found),
      problem,
    };
  }

  #facts(service: string, name: string, found: FoundFile | null) {
    if (found === null) return { sha256: null, size: null, modified_at: null, version: null };
    const sha256 = sha256Of(found.content);
    const same = this.#versions.list(service, name).findLast((kept) => kept.sha256 === sha256);
    return {
      sha256,
      size: found.content.length,
      modified_at: new Date(found.modified_at).toISOString(),
      version: same?.version ?? null,
    };
  }

  /** The newest version before the present content that differs from it. */
  async #versionBefore(service: string, name: string): Promise<number> {
    const found = await this.#access(service).read(this.#file(service, name).path);
    const present = found && sha256Of(found.content);
    const kept = this.#versions.list(service, name);
    const at = kept.findLastIndex(({ sha256 }) => sha256 === present);
    const earlier = at === -1 ? kept : kept.slice(0, at);
    const before = earlier.findLast(({ sha256 }) => sha256 !== present);
    if (before !== undefined) return before.version;
    throw new DavitError(
      'config_not_found',
      `"${name}" of service "${service}" has no version before the present one`,
    );
  }

  #versionSide(service: string, name: string, version: number): Side {
    const label = `${name} (version ${version})`;
    return { label, text: textOf(this.#versions.content(service, name, version), label) };
  }

  async #presentSide(service: string, name: string): Promise<Side> {
    const { path } = this.#file(service, name);
    const found = await this.#access(service).read(path);
    return found === null
      ? nothing(name)
      : { label: `${name} (as it is)`, text: textOf(found.content, path) };
  }
}

function nothing(name: string): Side {
  return { label: `${name} (not there)`, text: '' };
}

function shown({ time, ...kept }: KeptVersion, current: number | null): ConfigVersion {
  return { ...kept, time: new Date(time).toISOString(), current: kept.version === current };
}
