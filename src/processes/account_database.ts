import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { standardPath } from './standard_path.ts';

/** A line of passwd(5). */
export interface UserEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** How long a directory service such as LDAP may take to answer, in milliseconds. The agent waits for it. */
const lookupTimeout = 2_000;

/** Finds a user by name, or by number, also one written as text. Null when there is none. */
export function findUser(user: string | number): UserEntry | null {
  const [name, , uid, gid, , home, shell] = find('passwd', '/etc/passwd', user) ?? [];
  if (name === undefined) return null;
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' };
}

/** The names of the users that /etc/passwd has, by their numbers. */
export function localUserNames(): Map<number, string> {
  // Where two names share a number, the first is the one that the system shows.
  return new Map(
    read('/etc/passwd')
      .reverse()
      .map(([name = '', , uid]) => [Number(uid), name]),
  );
}

/** Finds the number of a group by its name. Null when there is none. */
export function findGroup(group: string): number | null {
  const found = find('group', '/etc/group', group);
  return found === null ? null : Number(found[2]);
}

/** The numbers of the groups that name a user as a member; the user's own group need not be among them. */
export function findMemberships(name: string): number[] {
  const local = read('/etc/group')
    .filter(([, , , members]) => members?.split(',').includes(name))
    .map(([, , gid]) => Number(gid));
  if (read('/etc/passwd').some((entry) => entry[0] === name)) return local;
  const [answer = ''] = ask('initgroups', name);
  const others = answer.split(/\s+/).slice(1).filter(Boolean).map(Number);
  return [...new Set([...local, ...others])];
}

/** Looks into the file, then asks the other sources of the host that nsswitch.conf(5) names. */
function find(database: string, file: string, key: string | number): string[] | null {
  const entries = read(file);
  const byName = entries.find(([name]) => name === key);
  if (byName !== undefined) return byName;
  const byNumber = /^\d+$/.test(String(key)) && entries.find(([, , id]) => Number(id) === Number(key));
  if (byNumber) return byNumber;
  const [answer] = ask(database, String(key));
  return answer?.split(':') ?? null;
}

function read(file: string): string[][] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}

/** What getent(1) prints; nothing where it finds nothing or is not there. */
function ask(database: string, key: string): string[] {
  const { stdout } = spawnSync('getent', [database, '--', key], {
    env: { PATH: standardPath },
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: lookupTimeout,
    killSignal: 'SIGKILL',
  });
  return (stdout ?? '').split('\n').filter((line) => line !== '');
}
