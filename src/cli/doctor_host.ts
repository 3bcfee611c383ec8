import { accessSync, constants, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../contract/doctor.ts';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';
import { missingTools } from '../lib/host_tools.ts';
import type { DoctorSettings } from './doctor_settings.ts';
import { ok, problem, warning } from './finding.ts';

/** No clock that is right shows an earlier time: the beginning of 2026, in milliseconds. */
const earliestNow = Date.UTC(2026, 0);
/** By how much a file may be newer than now, in milliseconds. */
const clockTolerance = 60_000;
/** Bytes and inodes; below the first the agent may soon be unable to write its state. */
const fewBytes = 100 * 2 ** 20;
const lowBytes = 2 ** 30;
const fewInodes = 1_000;

/** Whether a configuration is right. `read` gives its settings, or throws what is wrong. */
export function checkConfiguration(read: () => unknown): {
  finding: Finding;
  settings: DoctorSettings | null;
} {
  try {
    const settings = read() as DoctorSettings;
    return { finding: ok('configuration', 'it is right'), settings };
  } catch (error) {
    const finding = problem(
      'configuration',
      errorMessage(error),
      'mend it: davit config check says what is wrong',
    );
    return { finding, settings: null };
  }
}

/** Whether the agent can keep its state, and nobody else can read it. */
export function checkData(folder: string): Finding[] {
  const check = 'data directory';
  try {
    const { mode } = statSync(folder);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const findings = [checkSpace(folder)];
    if ((mode & 0o077) !== 0)
      findings.push(
        problem(check, `others may look into ${folder}, which holds keys`, `chmod 700 ${folder}`),
      );
    return findings;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT')
      return [warning(check, `${folder} is not there; the first start of an agent makes it`)];
    const advice = 'run davit doctor as the user of the agent, as with sudo';
    return [warning(check, `${folder} is not open to you`, advice)];
  }
}

function checkSpace(folder: string): Finding {
  const { bavail, bsize, ffree, files } = statfsSync(folder);
  const bytes = bavail * bsize;
  const message = `${folder} has ${Math.floor(bytes / 2 ** 20)} MiB left`;
  const advice = 'make room: new releases are refused on a full disk, and output of services is lost';
  if (bytes < fewBytes) return problem('data directory', message, advice);
  if (files > 0 && ffree < fewInodes)
    return problem('data directory', `${folder} has room for ${ffree} more files only`, advice);
  return bytes < lowBytes ? warning('data directory', message, advice) : ok('data directory', message);
}

/** Whether the clock can be right: times of logs, keys and tokens hang on it. */
export function checkClock(folder: string, now: number = Date.now()): Finding {
  const shown = new Date(now).toISOString();
  const advice = 'set the clock, and keep it right: timedatectl set-ntp true';
  if (now < earliestNow) return problem('clock', `it shows ${shown}, which is past`, advice);
  const written = lastWritten(folder);
  if (written > now + clockTolerance) {
    const message = `it shows ${shown}, but the state was written at ${new Date(written).toISOString()}: it was set back`;
    return warning('clock', message, advice);
  }
  return ok('clock', `it shows ${shown}`);
}

/** When the state was last written, in milliseconds; 0 when nobody can say. */
function lastWritten(folder: string): number {
  try {
    return statSync(join(folder, 'davit.db')).mtimeMs;
  } catch {
    return 0;
  }
}

/** What an agent would lack here; one that runs says it by itself. */
export function checkHost(isRoot: boolean): Finding[] {
  const missing = missingTools().map((sentence) => warning('host', sentence, 'install its package'));
  const user = isRoot
    ? ok('user', 'you are root')
    : warning('user', 'you are not root: an agent of yours runs services as you alone');
  return [user, ...(missing.length > 0 ? missing : [ok('host', 'every program that davit uses is there')])];
}
