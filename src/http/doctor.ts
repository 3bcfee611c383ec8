import { type ExecFileException, execFile } from 'node:child_process';
import { z } from 'zod';
import type { LoadedConfig } from '../config/load.ts';
import { variableOf } from '../config/load.ts';
import { type DoctorReport, diagnosis } from '../contract/doctor.ts';
import { DavitError } from '../lib/errors.ts';

interface DoctorOptions {
  /** What runs this very program. */
  readonly command: readonly [string, ...string[]];
  /** What the agent was started with. */
  readonly loaded: LoadedConfig;
  readonly environment: NodeJS.ProcessEnv;
  /** How long it may take, in milliseconds. Default: 30 s. */
  readonly timeout?: number;
}

/** What a program needs, and where `davit doctor` finds what the agent was told. Keys are not among them. */
const passedOn = [
  ...['PATH', 'HOME', 'LANG', 'TZ', 'XDG_STATE_HOME'],
  ...['DAVIT_CA_FILE', 'DAVIT_CERT_FILE', 'DAVIT_CERT_KEY_FILE'],
];
/** In milliseconds. */
const defaultTimeout = 30_000;
/** How much it may print, in bytes. */
const longestReport = 4 * 2 ** 20;

interface Ended {
  readonly error: ExecFileException | null;
  readonly out: string;
  readonly complaint: string;
}

/** What it prints when it fails itself. */
const failure = z.object({ error: z.string() });

/**
 * Runs `davit doctor` for the agent's own data directory and configuration. It looks from the outside: at what is on the
 * disk and how the agent answers. It reads the key of this host by itself.
 */
export class Doctor {
  readonly #options: DoctorOptions;
  readonly #end = new AbortController();
  #underWay: Promise<DoctorReport> | null = null;

  constructor(options: DoctorOptions) {
    this.#options = options;
  }

  /** One at a time: whoever asks meanwhile gets the same report. Throws `doctor_failed`. */
  diagnose(): Promise<DoctorReport> {
    this.#underWay ??= this.#run().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  /** Ends a run that is under way. */
  close(): void {
    this.#end.abort();
  }

  async #run(): Promise<DoctorReport> {
    const begin = performance.now();
    const { error, out, complaint } = await this.#execute();
    const printed = parse(out);
    const report = diagnosis.safeParse(printed);
    if (report.success) return { ...report.data, took_ms: Math.round(performance.now() - begin) };
    const { timeout = defaultTimeout } = this.#options;
    const reason =
      error?.killed === true
        ? `it did not end within ${timeout / 1_000} s`
        : (failure.safeParse(printed).data?.error ??
          firstLine(complaint || error?.message || 'it printed no report'));
    throw new DavitError('doctor_failed', `davit doctor cannot be run: ${reason}`, { cause: error });
  }

  /** It ends with 1 where it finds a problem, which is no failure. */
  #execute(): Promise<Ended> {
    const { command, loaded, timeout = defaultTimeout } = this.#options;
    const [program, ...first] = command;
    const { file } = loaded.origins;
    const config = file === null ? [] : ['--config', file];
    const args = [
      ...first,
      'doctor',
      '--json',
      '--context',
      'local',
      '--data',
      loaded.config.data,
      ...config,
    ];
    const limits = { timeout, maxBuffer: longestReport, killSignal: 'SIGKILL' } as const;
    const options = {
      ...limits,
      env: this.#environment(),
      signal: this.#end.signal,
      encoding: 'utf8',
    } as const;
    const { promise, resolve } = Promise.withResolvers<Ended>();
    execFile(program, args, options, (error, out, complaint) => resolve({ error, out, complaint }));
    return promise;
  }

  /** Flags of the agent that `davit doctor` has not go by the variables of the same settings. */
  #environment(): NodeJS.ProcessEnv {
    const { environment, loaded } = this.#options;
    const { from_environment, from_flags } = loaded.origins;
    const settings = Object.entries({ ...from_environment, ...from_flags });
    return {
      ...Object.fromEntries(passedOn.map((name) => [name, environment[name]])),
      ...Object.fromEntries(settings.map(([name, value]) => [variableOf(name), String(value)])),
    };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function firstLine(text: string): string {
  return text.split('\n')[0]?.slice(0, 500) ?? '';
}
