import { type ChildProcess, fork } from 'node:child_process';
import { ask } from './ask.ts';
import type { Load, LoadResult } from './load_process.ts';
import { plainEnvironment } from './peers/daemon.ts';
import { installAutocannon } from './peers/installation.ts';
import type { Sandbox } from './sandbox.ts';

/** autocannon in a process of its own. */
export class LoadGenerator {
  readonly version: string;
  readonly #child: ChildProcess;

  private constructor(version: string, child: ChildProcess) {
    this.version = version;
    this.#child = child;
  }

  static async start(sandbox: Sandbox): Promise<LoadGenerator> {
    const { version, folder } = await installAutocannon();
    const child = fork(new URL('./load_process.ts', import.meta.url), [folder], {
      env: plainEnvironment(sandbox.folder),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    return new LoadGenerator(version, child);
  }

  /** Throws when a single request was not answered well: figures of refusals would prove nothing. */
  async run(load: Load): Promise<LoadResult> {
    const result = await ask<LoadResult>(this.#child, load);
    if (result.failures > 0) throw new Error(`${result.failures} requests to ${load.url} failed`);
    return result;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
  }
}
