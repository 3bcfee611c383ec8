import { readFileSync } from 'node:fs';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { ControlGroup, ControlGroups } from './control_group.ts';
import type { ProgramLimits } from './launch.ts';

type GroupLimit = 'memory' | 'cpu' | 'pids';
type LimitName = GroupLimit | 'open_files';

/** A limit that is asked for and cannot be set. */
interface Refusal {
  readonly limit: LimitName;
  readonly why: string;
}

/** The time in which a share of the processors is counted, in microseconds: the kernel's own. */
const cpuPeriod = 100_000;
/** The process of davit that leads every tree. It is not the program's, so it does not count as one of its own. */
const wrapperProcesses = 1;

/**
 * What the agent cannot limit, as sentences. Throws `not_supported` when it must not start a program without. It also
 * makes ready what limits need of the control groups of the host.
 */
export function checkLimits(limits: ProgramLimits, groups: ControlGroups): string[] {
  const refusals = [...refusedByGroups(limits, groups), ...refusedOpenFiles(limits)];
  const sentences = refusals.map(({ limit, why }) => `the limit ${limit} cannot be set: ${why}`);
  if (limits.enforcement === 'required' && sentences.length > 0)
    throw notSupported(`${sentences.join('; ')}; set limits.enforcement to best_effort to start without it`);
  return sentences;
}

/**
 * Sets limits on the control group of a program that has not begun. Returns what could not be set, as sentences; throws
 * `not_supported` when it must not be started without.
 */
export function applyLimits(limits: ProgramLimits, group: ControlGroup | null): string[] {
  const failed = groupSettings(limits).flatMap(({ limit, file, value, ifThere }) => {
    try {
      if (group === null) throw new Error('it has no control group');
      if (!ifThere || group.has(file)) group.set(file, value);
      return [];
    } catch (error) {
      return [`the limit ${limit} cannot be set: ${errorMessage(error)}`];
    }
  });
  const sentences = [...new Set(failed)];
  if (limits.enforcement === 'required' && sentences.length > 0) throw notSupported(sentences.join('; '));
  return sentences;
}

/** How many files a process of the program may open; null: as many as the agent. Never more than the agent can give. */
export function openFilesOf({ open_files }: ProgramLimits): number | null {
  const most = mostOpenFiles();
  return open_files === null || most === null ? open_files : Math.min(open_files, most);
}

interface GroupSetting {
  readonly limit: GroupLimit;
  readonly file: string;
  readonly value: string;
  /** Whether a kernel may lack the file, and does without. */
  readonly ifThere?: boolean;
}

function groupSettings({ memory_bytes, cpu_cores, pids }: ProgramLimits): GroupSetting[] {
  const settings: GroupSetting[] = [];
  if (memory_bytes !== null) {
    settings.push({ limit: 'memory', file: 'memory.max', value: String(memory_bytes) });
    // Else the limit would only move what is beyond it to the disk.
    settings.push({ limit: 'memory', file: 'memory.swap.max', value: '0', ifThere: true });
  }
  if (cpu_cores !== null)
    settings.push({
      limit: 'cpu',
      file: 'cpu.max',
      value: `${Math.round(cpu_cores * cpuPeriod)} ${cpuPeriod}`,
    });
  if (pids !== null)
    settings.push({ limit: 'pids', file: 'pids.max', value: String(pids + wrapperProcesses) });
  return settings;
}

/** Nothing else limits a tree as a whole: the limits of setrlimit(2) are of one process or of all of a user. */
function refusedByGroups(limits: ProgramLimits, groups: ControlGroups): Refusal[] {
  const wanted = new Set(groupSettings(limits).map(({ limit }) => limit));
  return [...wanted].flatMap((limit) => {
    const why = groups.enable(limit);
    return why === null ? [] : [{ limit, why }];
  });
}

function refusedOpenFiles({ open_files }: ProgramLimits): Refusal[] {
  if (open_files === null) return [];
  if (process.platform === 'win32') return [{ limit: 'open_files', why: 'Windows has no such limit' }];
  const most = mostOpenFiles();
  if (most === null || open_files <= most) return [];
  return [
    {
      limit: 'open_files',
      why: `the agent itself may open no more than ${most} (the hard limit; LimitNOFILE= of its unit)`,
    },
  ];
}

/** The agent's own hard limit, beyond which it gives to nobody; null: none, or the system does not tell. */
function mostOpenFiles(): number | null {
  try {
    const [, hard] = /^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return hard === undefined ? null : Number(hard);
  } catch {
    return null;
  }
}

function notSupported(message: string): DavitError {
  return new DavitError('not_supported', message);
}
