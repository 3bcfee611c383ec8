import { type ChildProcess, fork } from 'node:child_process';
import { ask } from './ask.ts';
import { plainEnvironment } from './peers/daemon.ts';
import { killAllOf } from './processes.ts';
import type { Sandbox } from './sandbox.ts';

/** The small process that measures a spawn by itself. */
export class BareSpawn {
  readonly #folder: string;
  readonly #child: ChildProcess;

  constructor(sandbox: Sandbox) {
    this.#folder = sandbox.makeFolder('bare');
    this.#child = fork(new URL('./bare_spawn_process.ts', import.meta.url), {
      cwd: this.#folder,
      env: plainEnvironment(this.#folder),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  }

  /** Milliseconds of each of that many spawns. */
  measure(count: number): Promise<number[]> {
    return ask(this.#child, count);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await killAllOf(this.#folder);
  }
}
