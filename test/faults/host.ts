import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** What the host shows of one instance, whatever any agent says. */
export interface SeenInstance {
  readonly id: string;
  readonly service: string;
  /** Which of the instances of the service it is. */
  readonly number: number;
  readonly release: number;
  readonly pids: readonly number[];
  /** Those of its processes that are its wrapper. */
  readonly wrappers: readonly number[];
}

/** What one program says that it has written. */
export interface WrittenRun {
  readonly service: string;
  readonly release: number;
  readonly instance: string;
  readonly pid: number;
  readonly lines: number;
  /** When it wrote its first and its last line, in seconds since boot; NaN where it could not tell. */
  readonly first: number;
  readonly last: number;
}

/** The living instances of which a process carries the name of this folder in its environment. */
export function livingInstances(folder: string): SeenInstance[] {
  return [...Map.groupBy(markedProcesses(), ({ id }) => id)].flatMap(([id, members]) => {
    const program = members.find(({ environment }) => [...environment.values()].includes(folder));
    if (program === undefined) return [];
    const pids = members.map(({ pid }) => pid);
    const service = program.environment.get('DAVIT_SERVICE') ?? '';
    const release = Number(program.environment.get('DAVIT_RELEASE'));
    const number = Number(program.environment.get('DAVIT_INSTANCE'));
    return [{ id, service, number, release, pids, wrappers: pids.filter(isWrapper) }];
  });
}

/** The instances of which any process lives, also one that waits for a program, with the parent of each. */
export function livingMarks(): Map<string, number[]> {
  const groups = Map.groupBy(markedProcesses(), ({ id }) => id);
  return new Map(
    [...groups].map(([id, members]) => [id, members.map(({ pid }) => Number(readStat(pid)[1]))]),
  );
}

function markedProcesses() {
  return pidsOfHost().flatMap((pid) => {
    const environment = readEnvironment(pid);
    const id = environment.get('DAVIT_INSTANCE_ID');
    return id !== undefined && isLiving(pid) ? [{ pid, id, environment }] : [];
  });
}

/** What the programs of a service have written so far, in the order in which they began; of all services without one. */
export function writtenRuns(written: string, service?: string): WrittenRun[] {
  const runs = readdirSync(written)
    .map((name) => readRun(written, name))
    .filter((run) => service === undefined || run.service === service);
  // Of those that began within one tick of that clock, the one that ended first was the first.
  return runs.sort((one, other) => one.first - other.first || one.last - other.last);
}

/** Children of a process that have ended and that it has not taken note of. */
export function zombiesOf(parent: number): number[] {
  return pidsOfHost().filter((pid) => {
    const [state, parentOf] = readStat(pid);
    return state === 'Z' && Number(parentOf) === parent;
  });
}

/** The instances of which there is a control group, by its folder. */
export function controlGroups(): Map<string, string> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const [, mount] = /^\d+ \d+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(mounts) ?? [];
  if (mount === undefined) return new Map();
  const folders = [mount];
  // The list grows while it is walked.
  for (const folder of folders) folders.push(...subfolders(folder));
  const own = folders.filter((folder) => basename(folder).startsWith('davit-'));
  return new Map(own.map((folder) => [basename(folder).slice('davit-'.length), folder]));
}

/** The state of a process as ps shows it; '' when there is none. */
export function stateOf(pid: number): string {
  return readStat(pid)[0] ?? '';
}

/** Others make and remove groups all the time. */
function subfolders(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return entries.map(({ name }) => join(folder, name));
  } catch {
    return [];
  }
}

function isLiving(pid: number): boolean {
  return !['', 'Z', 'X'].includes(stateOf(pid));
}

/** It leads the session of its instance; what has left that, as the programs have it, is a sleep. */
function isWrapper(pid: number): boolean {
  const [, , , session] = readStat(pid);
  return Number(session) === pid && read(`/proc/${pid}/comm`) !== 'sleep\n';
}

function readRun(written: string, name: string): WrittenRun {
  const [service = '', release = '', instance = '', pid = ''] = name.split('.');
  const lines = read(join(written, name)).trimEnd().split('\n');
  const timeOf = (line = '') => Number(line.split(' ')[1] || Number.NaN);
  return {
    service,
    release: Number(release),
    instance,
    pid: Number(pid),
    lines: lines.length,
    first: timeOf(lines[0]),
    last: timeOf(lines.at(-1)),
  };
}

function pidsOfHost(): number[] {
  return readdirSync('/proc').map(Number).filter(Boolean);
}

function readEnvironment(pid: number): Map<string, string> {
  const variables = read(`/proc/${pid}/environ`).split('\0');
  return new Map(variables.map((variable) => splitAtEquals(variable)));
}

function splitAtEquals(variable: string): [string, string] {
  const at = variable.indexOf('=');
  return [variable.slice(0, at), variable.slice(at + 1)];
}

function readStat(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
