import { spawn } from 'node:child_process';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { Environment } from './terminal.ts';

/** The command by which somebody edits files. */
export function editorOf(environment: Environment): string {
  return environment['VISUAL'] || environment['EDITOR'] || 'vi';
}

/** Resolves when it has ended well, and throws `usage` otherwise. The editor may be a command with flags, such as `code --wait`. */
export function runEditor(editor: string, file: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (how: string) =>
    reject(
      new DavitError('usage', `the editor "${editor}" ${how}; nothing was changed (set EDITOR to another)`),
    );
  const child = spawn(`${editor} "$DAVIT_EDIT_FILE"`, {
    shell: true,
    stdio: 'inherit',
    env: { ...process.env, DAVIT_EDIT_FILE: file },
  });
  child.once('error', (error) => failed(`cannot be run: ${errorMessage(error)}`));
  child.once('exit', (code, signal) => (code === 0 ? resolve() : failed(`ended with ${code ?? signal}`)));
  return promise;
}
