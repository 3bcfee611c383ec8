import { userInfo } from 'node:os';
import { DavitError } from '../lib/errors.ts';
import { findGroup, findMemberships, findUser } from './account_database.ts';

/** Whom a process runs as. */
export interface Account {
  /** Set where the process must run as somebody else than the agent. */
  readonly switch_to: {
    readonly uid: number;
    readonly gid: number;
    /** The supplementary groups: those that name the user as a member. */
    readonly groups: readonly number[];
  } | null;
  readonly uid: number;
  readonly name: string | null;
  readonly home: string | null;
  readonly shell: string | null;
}

/**
 * Finds an account by name or number. Throws `spawn_failed` when there is none, or when the agent may not switch to it,
 * which only root may.
 * @param agent the account of this process; it takes a third of a millisecond to find out
 */
export function resolveAccount(
  user: string | number | null,
  group: string | number | null,
  agent: OwnAccount = ownAccount(),
): Account {
  const { gid: ownGid, ...own } = agent;
  if (user === null && group === null) return own;
  if (process.platform === 'win32')
    throw new DavitError('not_supported', 'Windows has no switching of user or group');
  const base = user === null ? { ...own, gid: ownGid } : userAccount(user);
  const gid = group === null ? base.gid : groupNumber(group);
  if (gid === null) {
    throw new DavitError(
      'spawn_failed',
      `user ${user} has no entry on this host that names its group: set group too`,
    );
  }
  if (base.uid === own.uid && gid === ownGid) return own;
  if (own.uid !== 0) {
    const wanted = user === null ? `group ${group}` : `user ${user}`;
    throw new DavitError('spawn_failed', `only an agent that runs as root can start a service as ${wanted}`);
  }
  const groups = user === null || base.name === null ? [] : findMemberships(base.name);
  const switch_to = { uid: base.uid, gid, groups: groups.filter((number) => number !== gid) };
  return { uid: base.uid, name: base.name, home: base.home, shell: base.shell, switch_to };
}

type Found = Omit<Account, 'switch_to'> & { readonly gid: number | null };

export type OwnAccount = Account & { readonly gid: number };

/** The account of this process. */
export function ownAccount(): OwnAccount {
  const uid = process.geteuid?.() ?? -1;
  const gid = process.getegid?.() ?? -1;
  try {
    const { username, homedir, shell } = userInfo();
    return { switch_to: null, uid, gid, name: username, home: homedir, shell };
  } catch {
    // Containers run as numbers that no file names.
    return { switch_to: null, uid, gid, name: null, home: null, shell: null };
  }
}

function userAccount(user: string | number): Found {
  const found = findUser(user);
  if (found !== null) return found;
  if (!/^\d+$/.test(String(user)))
    throw new DavitError('spawn_failed', `there is no user "${user}" on this host`);
  return { uid: Number(user), gid: null, name: null, home: null, shell: null };
}

function groupNumber(group: string | number): number {
  const found = typeof group === 'number' ? group : findGroup(group);
  if (found !== null) return found;
  if (!/^\d+$/.test(String(group)))
    throw new DavitError('spawn_failed', `there is no group "${group}" on this host`);
  return Number(group);
}
