import type { Spec } from '../contract/spec.ts';
import { bytes, milliseconds } from '../lib/units.ts';
import { type Account, ownAccount, resolveAccount } from '../processes/account.ts';
import { buildEnvironment, readEnvironmentFile } from '../processes/environment.ts';
import type { Program } from '../processes/launch.ts';
import { fillIn, fillInCommand } from '../processes/placeholders.ts';

interface ProgramsOptions {
  /** The agent's own environment; services get the harmless part of it. */
  readonly agentEnvironment: NodeJS.ProcessEnv;
  /** Names of further variables of the agent that services get. */
  readonly passedVariables: () => readonly string[];
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

  /** The program of an instance. Throws `spawn_failed` where the account or an environment file is missing. */
  of(order: ProgramOrder): Program {
    const { spec } = order;
    const { memory, cpu, pids, open_files, enforcement } = spec.limits;
    const account = resolveAccount(spec.user, spec.group, this.#account);
    return {
      command: fillInCommand(spec.command, placeholders(order)),
      cwd: spec.cwd,
      env: this.#environment(order, account),
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
    return { ...this.of(order), command: fillInCommand(command, placeholders(order)) };
  }

  #environment(order: ProgramOrder, account: Account): Record<string, string> {
    const { service, instance, release, port, spec } = order;
    return buildEnvironment({
      agentEnvironment: this.#options.agentEnvironment,
      passed: this.#options.passedVariables(),
      port,
      files: [spec.env_file].flat().map(readEnvironmentFile),
      env: fillIn(spec.env, placeholders(order)),
      account,
      marker: { service, release, instance },
    });
  }
}

/** The values of `${PORT}` and the like. */
export function placeholders({ service, instance, release, port }: Omit<ProgramOrder, 'spec'>) {
  return { PORT: port, INSTANCE: instance, SERVICE: service, RELEASE: release };
}
