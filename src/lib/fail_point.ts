import { writeSync } from 'node:fs';

/** The moments at which a test can make the agent fail. */
export type FailPointName =
  | 'deploy.release_written'
  | 'deploy.old_stopped'
  | 'deploy.started'
  | 'deploy.settled'
  | 'deploy.committed'
  | 'deploy.places_noted'
  | 'deploy.retiring'
  | 'deploy.shared'
  | 'deploy.failed'
  | 'deploy.brought_back'
  | 'deploy.put_back'
  | 'start.prepared'
  | 'start.spawned'
  | 'start.recorded'
  | 'start.let_go'
  | 'stop.signalled'
  | 'stop.killed'
  | 'stop.emptied'
  | 'stop.noted'
  | 'retention.run_removed'
  | 'retention.head_written'
  | 'retention.hole_punched'
  | 'retention.run_compressed'
  | 'backup.written'
  | 'upgrade.staged'
  | 'upgrade.kept'
  | 'upgrade.swapped'
  | 'upgrade.restarted'
  | 'upgrade.put_back'
  | 'upgrade.stopped';

/** What the switch of the tests asks for: the action and at which passing of the point. */
interface Failure {
  readonly action: string;
  at: number;
}

const switchName = 'DAVIT_TEST_FAIL_POINTS';
let failures: Map<string, Failure> | undefined;

/**
 * Marks a moment at which the agent may die or be refused something. It does nothing unless the environment variable
 * DAVIT_TEST_FAIL_POINTS names it: `start.spawned=kill,deploy.settled=stop@3,retention.head_written=ENOSPC`. `kill` and
 * `stop` send SIGKILL and SIGSTOP to the agent, a code of the system is thrown, and `@3` waits for the third time.
 */
export function failPoint(name: FailPointName): void {
  failures ??= readSwitch(process.env[switchName] ?? '');
  if (failures.size === 0) return;
  const failure = failures.get(name);
  if (failure === undefined || --failure.at !== 0) return;
  writeSync(2, `fail point ${name}: ${failure.action}\n`);
  if (failure.action === 'kill') process.kill(process.pid, 'SIGKILL');
  else if (failure.action === 'stop') process.kill(process.pid, 'SIGSTOP');
  else
    throw Object.assign(new Error(`${failure.action}: asked for by ${switchName}`), { code: failure.action });
}

function readSwitch(text: string): Map<string, Failure> {
  const entries = text.split(',').filter((entry) => entry !== '');
  return new Map(
    entries.map((entry) => {
      const [name = '', what = 'kill'] = entry.split('=');
      const [action = 'kill', at = '1'] = what.split('@');
      return [name, { action, at: Number(at) }];
    }),
  );
}
