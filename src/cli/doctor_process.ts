import { readFileSync, readlinkSync } from 'node:fs';
import type { Finding } from '../contract/doctor.ts';
import { ok, problem, warning } from './finding.ts';

/** Each instance takes a few descriptors of the agent, each connection with it one. */
const descriptorsOfAgent = 256;
const descriptorsOfInstance = 8;

/** Whether the process of the agent on this host has what it needs. Nothing where that cannot be seen. */
export function checkProcess(pid: number, instances: number): Finding[] {
  return [checkLimits(pid, instances), checkBinary(pid)].filter((finding) => finding !== null);
}

function checkLimits(pid: number, instances: number): Finding | null {
  const most = openFilesLimit(read(`/proc/${pid}/limits`));
  if (most === null) return null;
  const needed = descriptorsOfAgent + instances * descriptorsOfInstance;
  const advice = 'set LimitNOFILE=65536 in its unit, and restart it: services stay';
  if (most < needed)
    return problem('limits', `the agent may open ${most} files, and needs about ${needed}`, advice);
  if (most < needed * 2) return warning('limits', `the agent may open ${most} files only`, advice);
  return ok('limits', `the agent may open ${most} files`);
}

/** The soft limit of open files in a /proc/<pid>/limits; null where it holds none. */
export function openFilesLimit(limits: string): number | null {
  const [, most] = /^Max open files\s+(\d+|unlimited)/m.exec(limits) ?? [];
  if (most === undefined) return null;
  return most === 'unlimited' ? Number.POSITIVE_INFINITY : Number(most);
}

/** A binary that was replaced by hand runs on as it was until the agent starts anew. */
function checkBinary(pid: number): Finding | null {
  try {
    const binary = readlinkSync(`/proc/${pid}/exe`);
    if (!binary.endsWith(' (deleted)')) return null;
    const message = `${binary.replace(/ \(deleted\)$/, '')} was replaced, and the agent still runs the old one`;
    return warning('version', message, 'restart the agent: services stay');
  } catch {
    return null;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
