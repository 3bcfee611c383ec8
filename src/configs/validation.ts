import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { chmod, chown, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { ConfigFile } from '../contract/config_file.ts';
import type { Command } from '../contract/text.ts';
import { DavitError, errorMessage, systemErrorCode } from '../lib/errors.ts';
import type { CommandProgram } from '../processes/launch.ts';
import { fillIn } from '../processes/placeholders.ts';
import { type CommandRun, runCommand } from '../processes/run_command.ts';

/** How a command of a service runs: where, with which environment, as whom. */
export type CommandPlace = Pick<CommandProgram, 'cwd' | 'env' | 'account'>;

/** Which command checks what. */
interface Check {
  readonly file: ConfigFile;
  readonly command: Command;
  readonly service: string;
  readonly release: number;
}

/** How long the command may take, in milliseconds. */
const validationTimeout = 60_000;
/** Copies stand in folders of their own, whose names tell whose they are. */
const folderPrefix = 'davit-validate-';
const leftoverPattern = /^davit-validate-(\d+)-[A-Za-z0-9]{6}$/;
/** How many of its last lines an answer shows. */
const shownLines = 20;

/**
 * Lets the command of a configuration file look at a new content. Throws `validation_failed` with the last lines that it
 * wrote when it does not accept that, or cannot be run.
 */
export async function validateContent(check: Check, content: Buffer, place: CommandPlace): Promise<void> {
  const { name, path, mode } = check.file;
  // Outside of the data directory, which no other account can enter, under the name that the command may know.
  const folder = await mkdtemp(join(tmpdir(), `${folderPrefix}${process.pid}-`));
  try {
    const file = join(folder, basename(path));
    await writeFor(place, folder, file, content, Number.parseInt(mode, 8));
    const run = await runCommand(programFor(check, file, place), { timeout_ms: validationTimeout });
    if (run.code !== 0) throw refused(name, run);
  } catch (cause) {
    if (!(cause instanceof DavitError) || cause.code === 'validation_failed') throw cause;
    throw new DavitError('validation_failed', `"${name}" cannot be checked: ${errorMessage(cause)}`, {
      cause,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes the copies of contents that agents left which died while a command looked at them. */
export function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = leftoverPattern.exec(name) ?? [];
    if (pid === undefined || isAlive(Number(pid))) continue;
    const folder = join(tmpdir(), name);
    // Anybody can make something of this name there; in a folder of our own, only we.
    const stat = lstatSync(folder, { throwIfNoEntry: false });
    if (stat?.isDirectory() && stat.uid === (process.geteuid?.() ?? 0))
      rmSync(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

/** A list gets the path put in; a line for a shell finds it in its environment, where no space in it can split it. */
function programFor({ command, service, release }: Check, file: string, place: CommandPlace): CommandProgram {
  const { cwd, env, account } = place;
  const values = { SERVICE: service, RELEASE: release, INSTANCE: 1 };
  const filled = fillIn(command, typeof command === 'string' ? values : { ...values, FILE: file });
  return { command: filled, cwd, env: { ...env, FILE: file }, account };
}

/** Makes the file in the agent's own folder, where the account can read it but put nothing in its place. */
async function writeFor(
  { account }: CommandPlace,
  folder: string,
  file: string,
  content: Buffer,
  mode: number,
): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    if (account.switch_to !== null) await handle.chown(account.switch_to.uid, account.switch_to.gid);
    await handle.chmod(mode | 0o400);
  } finally {
    await handle.close();
  }
  if (account.switch_to === null) return;
  await chown(folder, 0, account.switch_to.gid);
  await chmod(folder, 0o710);
}

function refused(name: string, { code, signal, timed_out, output }: CommandRun): DavitError {
  const how = timed_out
    ? `did not end within ${validationTimeout / 1000} s`
    : `ended with ${code === null ? signal : `code ${code}`}`;
  const last_lines = output.split('\n').filter((line) => line !== '');
  return new DavitError('validation_failed', `"${name}" was not accepted: its validate command ${how}`, {
    fields: { return_code: code, last_lines: last_lines.slice(-shownLines) },
  });
}
