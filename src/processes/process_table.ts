import { readdirSync, readFileSync } from 'node:fs';
import { isDead, type ProcessStat, readStat } from './identity.ts';

/**
 * How long what was read of a process is not read again, in milliseconds. No pid comes round again so soon, and a
 * process that leaves its group, session or parent meanwhile is found by what it was.
 */
const trustedFor = 1_000;
/** How often /proc is listed in one look, as a process that ends before it is read may have started another. */
const mostListings = 3;

/** The variable that tells to which instance a process belongs. */
export const markName = 'DAVIT_INSTANCE_ID';

/** A process as a look at /proc found it. */
export class SeenProcess implements ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly start_ticks: string;
  readonly of_kernel: boolean;
  readonly seen_at: number;
  #mark: string | undefined;

  constructor(stat: ProcessStat, seen_at: number, before?: SeenProcess) {
    this.pid = stat.pid;
    this.state = stat.state;
    this.parent = stat.parent;
    this.group = stat.group;
    this.session = stat.session;
    this.start_ticks = stat.start_ticks;
    this.of_kernel = stat.of_kernel;
    this.seen_at = seen_at;
    if (before?.start_ticks === stat.start_ticks) this.#mark = before.#mark;
  }

  /** The DAVIT_INSTANCE_ID that its environment held when it was first read; '' when it held none or cannot be read. */
  get mark(): string {
    if (this.#mark !== undefined) return this.#mark;
    const environment = readEnvironment(this.pid);
    const mark = variableIn(environment, markName);
    // A process has no environment for a moment while it starts another program.
    if (environment !== '') this.#mark = mark;
    return mark;
  }
}

/** The processes of the host. Whoever asks at about the same time shares one look at /proc. */
export class ProcessTable {
  #pending: Promise<readonly SeenProcess[] | null> | undefined;
  #known: ReadonlyMap<number, SeenProcess> = new Map();

  /**
   * All processes but the kernel's own and this one. What started before the call is among them; what ended within
   * the last second may still be. Null where the system has no readable /proc.
   */
  look(): Promise<readonly SeenProcess[] | null> {
    this.#pending ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#pending = undefined;
        resolve(this.#read());
      });
    });
    return this.#pending;
  }

  #read(): SeenProcess[] | null {
    const now = performance.now();
    const known = new Map<number, SeenProcess>();
    for (let listings = 1; this.#readInto(known, now) && listings < mostListings; ) listings++;
    this.#known = known;
    if (known.size === 0) return null;
    return [...known.values()].filter((seen) => seen.pid !== process.pid && !seen.of_kernel && !isDead(seen));
  }

  /** Adds what is listed and not known yet; true when some of it was gone before it could be read. */
  #readInto(known: Map<number, SeenProcess>, now: number): boolean {
    let missed = false;
    for (const pid of readPids()) {
      if (known.has(pid)) continue;
      const before = this.#known.get(pid);
      const seen = before && now - before.seen_at < trustedFor ? before : see(pid, now, before);
      if (seen !== null) known.set(pid, seen);
      else if (before === undefined) missed = true;
    }
    return missed;
  }
}

/** The values of variables in the environment of a process; '' for one that it does not hold, or that cannot be read. */
export function readVariables(pid: number, names: readonly string[]): string[] {
  const environment = readEnvironment(pid);
  return names.map((name) => variableIn(environment, name));
}

function see(pid: number, now: number, before: SeenProcess | undefined): SeenProcess | null {
  const stat = readStat(pid);
  return stat && new SeenProcess(stat, now, before);
}

function readPids(): number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 1);
  } catch {
    return [];
  }
}

function readEnvironment(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

function variableIn(environment: string, name: string): string {
  const [, rest] = `\0${environment}`.split(`\0${name}=`, 2);
  return rest === undefined ? '' : rest.slice(0, rest.indexOf('\0'));
}
