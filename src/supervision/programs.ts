import type { Spec } from '../contract/spec.ts';
import { bytes, milliseconds } from '../lib/units.ts';
import { type Account, ownAccount, resolveAccount } from '../processes/account.ts';
import { buildEnvironment, readEnvironmentFile } from '../processes/environment.ts';
import type { Program } from '../processes/launch.ts';
import { fillIn, fillInCommand, type PlaceholderValues } from '../processes/placeholders.ts';
import { parameterTexts } from '../services/parameters.ts';

interface ProgramsOptions {
  /** The agent's own environment; services get the harmless part of it. */
  readonly agentEnvironment: NodeJS.ProcessEnv;
  /** Names of further variables of the agent that services get. */
  readonly passedVariables: () => readonly string[];
  /** Where the files of an artifact are for an account. */
  readonly artifactDirectory: (service: string, sha256: string, account: Account) => string;
}

/** What a program is to run for. */
export interface ProgramOrder {
  readonly service: string;
  readonly instance: number;
  readonly release: number;
  readonly port: number | null;
  readonly spec: Spec;
}

/** Makes of a spec what is to be started of it. */
export class Programs {
  readonly #options: ProgramsOptions;
  readonly #account = ownAccount();

  constructor(options: ProgramsOptions) {
    this.#options = options;
  }

  /**
   * The program of an instance. Throws `spawn_failed` where the account or an environment file is missing, and
   * `invalid_request` where a parameter has no value that must have one.
   */
  of(order: ProgramOrder): Program {
    const { spec } = order;
    const { memory, cpu, pids, open_files, enforcement } = spec.limits;
    const account = resolveAccount(spec.user, spec.group, this.#account);
    const values = this.#placeholders(order, () => account);
    return {
      command: fillInCommand(spec.command, values),
      // Nobody who uploads files means the root of the file system.
      cwd: values.ARTIFACT !== null && spec.cwd === '/' ? values.ARTIFACT : fillIn(spec.cwd, values),
      env: this.#environment(order, account, values),
      account,
      runner: spec.runner,
      stop: { signal: spec.stop.signal, timeout_ms: milliseconds(spec.stop.timeout) },
      limits: {
        memory_bytes: memory === null ? null : bytes(memory),
        cpu_cores: cpu,
        pids,
        open_files,
        enforcement,
      },
    };
  }

  /** Another program with the account, the directory and the environment of an instance. */
  beside(order: ProgramOrder, command: Spec['command']): Program {
    return { ...this.of(order), command: fillInCommand(command, this.placeholders(order)) };
  }

  /** The values of `${PORT}` and the like. Throws what `of` does. */
  placeholders(order: ProgramOrder): PlaceholderValues {
    const { user, group } = order.spec;
    return this.#placeholders(order, () => resolveAccount(user, group, this.#account));
  }

  #placeholders(
    { service, instance, release, port, spec }: ProgramOrder,
    accountOf: () => Account,
  ): Placeholders {
    const { artifact, parameters } = spec;
    return {
      PORT: port,
      INSTANCE: instance,
      SERVICE: service,
      RELEASE: release,
      ARTIFACT:
        artifact === null ? null : this.#options.artifactDirectory(service, artifact.sha256, accountOf()),
      parameters: Object.keys(parameters).length > 0 ? parameterTexts(spec) : undefined,
    };
  }

  #environment(order: ProgramOrder, account: Account, values: Placeholders): Record<string, string> {
    const { service, instance, release, port, spec } = order;
    return buildEnvironment({
      agentEnvironment: this.#options.agentEnvironment,
      passed: this.#options.passedVariables(),
      port,
      files: [spec.env_file].flat().map(readEnvironmentFile),
      env: { ...fillIn(spec.env, values), ...ownVariables(values) },
      account,
      marker: { service, release, instance },
    });
  }
}

interface Placeholders extends PlaceholderValues {
  readonly ARTIFACT: string | null;
}

/** What a process finds in its environment, beside what its service says. */
function ownVariables({ ARTIFACT, parameters = {} }: Placeholders): Record<string, string> {
  const values = Object.entries(parameters).map(([name, text]) => [`PARAMETER_${name.toUpperCase()}`, text]);
  return { ...(ARTIFACT !== null && { ARTIFACT }), ...Object.fromEntries(values) };
}
