import { DavitError } from '../lib/errors.ts';
import { findTool } from '../lib/host_tools.ts';
import type { Account } from './account.ts';

/** A program as the system starts it. */
export interface ProgramStart {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Whom Node is to switch to before it. */
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * How a program is started as an account. Node switches the user and the group, but drops all supplementary groups; where
 * an account has some, setpriv(1) gives them. Throws `spawn_failed` where that is missing.
 */
export function asAccount({ file, args, env }: ProgramStart, { switch_to, name }: Account): ProgramStart {
  if (switch_to === null) return { file, args, env };
  const { uid, gid, groups } = switch_to;
  if (groups.length === 0) return { file, args, env, uid, gid };
  const [setpriv, ...switching] = switchCommand(switch_to, name);
  return { file: setpriv, args: [...switching, file, ...args], env };
}

/** The command that switches to an account, to be followed by that of a program. Throws `spawn_failed` where it is missing. */
export function switchCommand(
  { uid, gid, groups }: NonNullable<Account['switch_to']>,
  name: Account['name'],
): [string, ...string[]] {
  const supplementary = groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`;
  return [findSetpriv(name), `--reuid=${uid}`, `--regid=${gid}`, supplementary, '--'];
}

function findSetpriv(name: string | null): string {
  const setpriv = findTool('setpriv');
  if (setpriv !== null) return setpriv;
  throw new DavitError(
    'spawn_failed',
    `to start a service as user ${name} takes setpriv on this host: install util-linux`,
  );
}
