import { Davit } from './peers/davit.ts';
import { findDavit } from './peers/davit_program.ts';
import { installPm2, installSupervisor } from './peers/installation.ts';
import type { Peer, ServiceOptions } from './peers/peer.ts';
import { Pm2 } from './peers/pm2.ts';
import { Supervisord } from './peers/supervisord.ts';
import type { Sandbox } from './sandbox.ts';

type Start<P extends Peer> = (services: readonly string[], options?: ServiceOptions) => Promise<P>;

/** What is compared, ready to be started as often as a bench needs; each start is a fresh daemon. */
export interface Contenders {
  readonly davit: Start<Davit>;
  readonly supervisord: Start<Supervisord>;
  readonly pm2: Start<Pm2>;
  /** Name and version of each, for the head of the report. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Installs the peers where they are missing, and finds davit. */
export async function prepareContenders(sandbox: Sandbox, fromSource: boolean): Promise<Contenders> {
  const program = await findDavit(fromSource);
  const supervisor = await installSupervisor();
  const pm2 = await installPm2();
  const setup = (name: string, services: readonly string[], options?: ServiceOptions) => ({
    ...options,
    folder: sandbox.makeFolder(name),
    services,
  });
  return {
    davit: (services, options) => Davit.start(program, setup('davit', services, options)),
    supervisord: (services, options) =>
      Supervisord.start(supervisor, setup('supervisord', services, options)),
    pm2: (services, options) => Pm2.start(pm2, setup('pm2', services, options)),
    versions: { davit: program.version, supervisord: supervisor.version, PM2: pm2.version },
  };
}

/** Ids of that many services: `s1`, `s2`, … */
export function serviceIds(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `s${at + 1}`);
}

/** Runs `use` with the peers, and stops them after it. */
export async function usingPeers<P extends Pick<Peer, 'stop'>, T>(
  sandbox: Sandbox,
  peers: readonly P[],
  use: () => Promise<T>,
): Promise<T> {
  const [first, ...others] = peers;
  if (first === undefined) return use();
  return sandbox.using(
    () => first.stop(),
    () => usingPeers(sandbox, others, use),
  );
}

/** Who goes first changes from round to round, so that a noisy moment hits no one always. */
export function rotated<T>(list: readonly T[], round: number): T[] {
  const at = round % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
