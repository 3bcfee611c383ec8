import { HttpClient } from '../../http_client.ts';
import { type Daemon, end, launch } from '../../peers/daemon.ts';
import { killAllOf } from '../../processes.ts';

export interface ProxySetup {
  /** An empty folder for its own files. */
  readonly folder: string;
  /** The port of the service, on the loopback interface. */
  readonly backend: number;
  /** Where it is to listen, on the loopback interface. */
  readonly port: number;
  readonly processes: number;
  /** On which it may run, as `taskset --cpu-list` takes them. */
  readonly cores: string;
}

/** A proxy that takes all that comes to one port to one service. */
export interface RunningProxy {
  readonly name: string;
  readonly port: number;
  /** The processes that carry what goes through it. */
  pids(): readonly number[];
  stop(): Promise<void>;
}

/** A kind of proxy, ready to be started as often as a bench needs. */
export interface ProxyKind {
  readonly name: string;
  readonly version: string;
  start(setup: ProxySetup): Promise<RunningProxy>;
}

/** Starts one process of a proxy, and resolves when a request goes through it. */
export async function launchProxy(
  [command, ...args]: readonly [string, ...string[]],
  { folder, cores, port }: ProxySetup,
  environment: Readonly<Record<string, string>> = {},
): Promise<Daemon> {
  const client = new HttpClient(`http://127.0.0.1:${port}`);
  try {
    return await launch({
      command: 'taskset',
      args: ['--cpu-list', cores, command, ...args],
      folder,
      environment,
      answered: async () => {
        const { status } = await client.send({ method: 'GET', path: '/small' });
        if (status !== 200) throw new Error(`it answered with ${status}`);
      },
    });
  } finally {
    client.close();
  }
}

/** Ends its processes, and kills what is left. */
export async function endProxy(daemons: readonly Daemon[], folder: string): Promise<void> {
  await Promise.all(daemons.map((daemon) => end(daemon)));
  await killAllOf(folder);
}
