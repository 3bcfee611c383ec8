import { spawn } from 'node:child_process';
import { DavitError } from '../lib/errors.ts';
import type { Account } from '../processes/account.ts';
import { asAccount } from '../processes/account_switch.ts';
import {
  type FileAccess,
  type FoundFile,
  largestFile,
  type NewFile,
  reasons,
  splitPath,
  unusable,
} from './file_access.ts';

/** How long one access may take, in milliseconds. */
const accessTimeout = 15_000;

/**
 * Files with the rights of another account: a shell that runs as that does all of it. Whatever the path leads to, and
 * whoever changes it meanwhile, the system allows no more than it allows the account.
 */
export class AccountFiles implements FileAccess {
  readonly #account: Account;

  constructor(account: Account) {
    this.#account = account;
  }

  async read(path: string): Promise<FoundFile | null> {
    const output = await this.#run(readScript, path, [String(largestFile + 1)]);
    if (output === null) return null;
    const end = output.indexOf('\n');
    const [modified_at = 0, mode = ''] = output
      .toString('latin1', 0, end)
      .split(' ')
      .map((word, index) => (index === 0 ? Number(word) * 1000 : word));
    const content = output.subarray(end + 1);
    if (content.length > largestFile) throw unusable(path, reasons.too_large);
    return { content, mode: Number.parseInt(String(mode), 8), modified_at: Number(modified_at) };
  }

  async write(path: string, { content, mode, temporary }: NewFile): Promise<void> {
    await this.#run(writeScript, path, [temporary, mode.toString(8), String(content.length)], content);
  }

  async remove(path: string): Promise<void> {
    await this.#run(removeScript, path, []);
  }

  /** What the script wrote; null: there is no such file. */
  async #run(script: string, path: string, args: readonly string[], input?: Buffer): Promise<Buffer | null> {
    const { directory, name } = splitPath(path);
    const ended = await runScript(this.#account, [script, 'sh', directory, name, ...args], input);
    if (ended.code === 0) return ended.output;
    if (ended.code === absent) return null;
    if (/no space left|quota exceeded/i.test(ended.complaint))
      throw new DavitError('storage_unavailable', `${path} cannot be written: the disk is full`);
    throw unusable(path, this.#reason(directory, ended));
  }

  #reason(directory: string, { code, complaint }: Ended): string {
    const whom = `user ${this.#account.name ?? this.#account.uid}`;
    switch (code) {
      case 10:
        return `its directory ${directory} is not there, or ${whom} may not enter it`;
      case 11:
        return reasons.link;
      case 13:
        return reasons.not_regular;
      case 14:
        return `${whom} may not read it`;
      case 16:
        return `${whom} cannot write in ${directory}${complaint === '' ? '' : ` (${complaint})`}`;
      case null:
        return `${whom} had no access to it within ${accessTimeout / 1000} s`;
      default:
        return `an access as ${whom} failed${complaint === '' ? '' : ` (${complaint})`}`;
    }
  }
}

/** The exit code of a script that found no such file. */
const absent = 12;

const enterDirectory = `
[ -d "$1" ] && cd -P -- "$1" || exit 10
[ -h "./$2" ] && exit 11`;

/** Takes the directory, the name and how much is to be read. */
const readScript = `${enterDirectory}
[ -e "./$2" ] || exit ${absent}
[ -f "./$2" ] || exit 13
[ -r "./$2" ] || exit 14
stat -c '%Y %a' -- "./$2" && exec head -c "$3" -- "./$2"`;

/**
 * Takes the directory, the name, the temporary name, the mode and the size. With the size it knows whether the agent has
 * died in the middle of what it had to say.
 */
const writeScript = `umask 077${enterDirectory}
[ ! -e "./$2" ] || [ -f "./$2" ] || exit 13
fail() { rm -f -- "./$3"; exit 16; }
rm -f -- "./$3"
set -C
{ dd conv=fsync bs=65536 status=none >"./$3"; } || fail "$@"
[ "$(wc -c <"./$3")" -eq "$5" ] || fail "$@"
[ ! -e "./$2" ] || chgrp "$(stat -c %g -- "./$2")" "./$3" 2>/dev/null || :
chmod "$4" "./$3" && mv -f -- "./$3" "./$2" || fail "$@"
sync . 2>/dev/null || :`;

const removeScript = `${enterDirectory}
rm -f -- "./$2" || exit 16`;

interface Ended {
  /** Null: it was killed because its time was over. */
  readonly code: number | null;
  readonly output: Buffer;
  /** The last line that it wrote on standard error. */
  readonly complaint: string;
}

async function runScript(account: Account, args: readonly string[], input?: Buffer): Promise<Ended> {
  const start = {
    file: '/bin/sh',
    args: ['-c', ...args],
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin', LC_ALL: 'C' },
  };
  const { file, args: words, ...others } = asAccount(start, account);
  const child = spawn(file, words, { ...others, cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  let complaints = '';
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString('utf8')).slice(-1_000);
  });
  // It may have ended before it has read all.
  child.stdin.on('error', () => {}).end(input);
  const timer = setTimeout(() => killGroup(child.pid), accessTimeout);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode) => resolve(exitCode));
    });
    const complaint = complaints.trim().split('\n').at(-1) ?? '';
    return { code, output: Buffer.concat(chunks), complaint };
  } finally {
    clearTimeout(timer);
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
