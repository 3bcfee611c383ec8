import { freePort } from '../http_client.ts';
import type { Sandbox } from '../sandbox.ts';
import { type Cores, divideCores } from './cores.ts';
import { expectLine, startProgram } from './load.ts';
import { compilePrograms, type Programs } from './programs.ts';

/** Where proxies meet: the service behind them, the loads before them, and who runs on which core. */
export interface Arena {
  readonly programs: Programs;
  readonly cores: Cores;
  readonly folder: string;
  /** The port of the service. */
  readonly backend: number;
}

/** Starts the service, and stops it after `use`. @param backendCores what of the cores it may have */
export async function usingArena<T>(
  sandbox: Sandbox,
  use: (arena: Arena) => Promise<T>,
  backendCores: (cores: Cores) => string = ({ backend }) => backend,
): Promise<T> {
  const folder = sandbox.makeFolder('arena');
  const programs = await compilePrograms(folder);
  const cores = divideCores();
  const backend = await freePort();
  const command = [programs.backend, String(backend)];
  const { child, lines } = startProgram({ command, folder, cores: backendCores(cores) });
  const close = async () => void child.kill('SIGKILL');
  return sandbox.using(close, async () => {
    await expectLine(lines, 'ready');
    return use({ programs, cores, folder, backend });
  });
}
