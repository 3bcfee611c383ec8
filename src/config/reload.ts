import { isDeepStrictEqual } from 'node:util';
import { errorMessage } from '../lib/errors.ts';
import type { LoadedConfig } from './load.ts';
import type { Config } from './schema.ts';

/** Settings that take effect only when the agent starts. */
const startOnly: ReadonlySet<string> = new Set([
  'listen',
  'tls',
  'data',
  'body_limit',
  'artifacts',
  'cgroups',
] satisfies (keyof Config)[]);

/** Whether another value of a setting, such as `listen`, waits for the next start of the agent. */
export function waitsForRestart(setting: string): boolean {
  return startOnly.has(setting);
}

/** What differs between two configurations, by the names of the settings. */
export interface ConfigChange {
  readonly changed: readonly string[];
  /** Those of them that wait for the next start of the agent. */
  readonly needRestart: readonly string[];
}

/** Compares two configurations. */
export function changedSettings(before: Config, after: Config): ConfigChange {
  const names = Object.keys(after) as (keyof Config)[];
  const changed = names.filter((name) => !isDeepStrictEqual(before[name], after[name]));
  return { changed, needRestart: changed.filter(waitsForRestart) };
}

/**
 * A part of the agent that takes settings over: it does all that can fail and changes nothing, and gives what makes the
 * change, which cannot fail.
 */
export type Prepare = (next: Config, change: ConfigChange) => () => void;

export interface ConfigReloadOptions {
  /** What the agent was started with. */
  readonly loaded: LoadedConfig;
  readonly parts: readonly Prepare[];
  /** Told once all parts have changed. `waiting` names what differs from what the agent was started with and waits for its next start. */
  readonly onTaken: (change: ConfigChange, waiting: readonly string[]) => void;
  readonly onRefused: (message: string) => void;
}

/** Takes other configurations over, each as a whole or not at all. */
export class ConfigReload {
  readonly #options: ConfigReloadOptions;
  #current: LoadedConfig;
  #waiting: readonly string[] = [];
  #refusal: string | null = null;

  constructor(options: ConfigReloadOptions) {
    this.#options = options;
    this.#current = options.loaded;
  }

  /** What was taken over last; of settings that wait for a restart, what they will be. */
  get current(): LoadedConfig {
    return this.#current;
  }

  /** Why what came last was not taken over; null: it was. */
  get refusal(): string | null {
    return this.#refusal;
  }

  /** What somebody should know until the agent is started again, or the configuration is another. */
  get warnings(): readonly string[] {
    return [
      ...(this.#waiting.length > 0 ? [waitingText(this.#waiting)] : []),
      ...(this.#refusal === null ? [] : [this.#refusal]),
    ];
  }

  /** Takes over what `load` gives. When that or a part throws, nothing has changed. */
  take(load: () => LoadedConfig): void {
    const { loaded, parts, onTaken, onRefused } = this.#options;
    try {
      const next = load();
      const change = changedSettings(this.#current.config, next.config);
      const changes = parts.map((prepare) => prepare(next.config, change));
      for (const make of changes) make();
      this.#current = next;
      this.#waiting = changedSettings(loaded.config, next.config).needRestart;
      this.#refusal = null;
      onTaken(change, this.#waiting);
    } catch (error) {
      this.#refusal = `the configuration was not taken over, and nothing has changed: ${errorMessage(error)}`;
      onRefused(this.#refusal);
    }
  }
}

/** A sentence on settings that wait for the next start of the agent. */
export function waitingText(settings: readonly string[]): string {
  return `${settings.join(', ')}: takes effect at the next restart of the agent`;
}
