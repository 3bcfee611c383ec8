import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import type { Finding } from '../contract/doctor.ts';
import { systemErrorCode } from '../lib/errors.ts';
import { portRange } from '../lib/port_range.ts';
import type { DoctorSettings } from './doctor_settings.ts';
import { ok, problem, warning } from './finding.ts';

/** Whether the ports that a configuration names can be had. `isRunning`: an agent holds its own already. */
export async function checkPorts(settings: DoctorSettings, isRunning: boolean): Promise<Finding[]> {
  return [...(isRunning ? [] : [await checkListen(settings.listen)]), checkRange(settings.port_range)];
}

async function checkListen(listen: string): Promise<Finding> {
  const code = await bind(listen);
  if (code === null) return ok('ports', `${listen} is free for the agent`);
  const advice = `who has it: ss -ltnp 'sport = :${portOf(listen)}'; or set another listen`;
  if (code === 'EADDRINUSE')
    return problem('ports', `${listen}, where the agent is to listen, is taken`, advice);
  if (code === 'EACCES')
    return problem(
      'ports',
      `you may not listen on ${listen}`,
      'ports below 1024 are for root: set another listen',
    );
  return problem('ports', `the agent cannot listen on ${listen}: ${code}`, 'set an address of this host');
}

/** The code of what hinders listening there; null: nothing does. */
function bind(address: string): Promise<string | null> {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const server = createServer();
  server.once('error', (error) => resolve(systemErrorCode(error) || 'unknown'));
  server.listen(portOf(address), host, () => server.close(() => resolve(null)));
  return promise;
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

/** Outgoing connections take ports of their own range by chance, also such as a service is to get. */
function checkRange(text: string): Finding {
  const check = 'ports';
  const own = portRange(text);
  const [first, last] = readKernel('net/ipv4/ip_local_port_range').split(/\s+/).map(Number);
  const overlaps = first && last && own.first <= last && first <= own.last;
  if (!overlaps) return ok(check, `${text} are kept for services`);
  const message = `port_range ${text} overlaps ${first}-${last}, from which outgoing connections take theirs`;
  const advice = `set another port_range, or sysctl -w net.ipv4.ip_local_reserved_ports=${text}`;
  return isReserved(own) ? ok(check, `${text} are reserved for services`) : warning(check, message, advice);
}

/** Whether outgoing connections leave all of these ports alone. */
function isReserved({ first, last }: { readonly first: number; readonly last: number }): boolean {
  const ranges = readKernel('net/ipv4/ip_local_reserved_ports')
    .split(',')
    .map((range) => range.split('-').map(Number));
  return ranges.some(([from = 0, to = from]) => from <= first && last <= to);
}

/** The kernel setting since Linux 5.14 by which a listener that closes passes on what it has not accepted yet. */
const migration = 'net/ipv4/tcp_migrate_req';

/** Whether a router process that ends passes on to others what waits for it. */
export function checkRouters({ router }: DoctorSettings): Finding[] {
  if (router === null) return [];
  const processes = router.processes === 'auto' ? availableParallelism() : router.processes;
  if (processes < 2 || readKernel(migration) !== '0') return [];
  const message = 'when one of several routers ends, connections that it has not accepted yet are lost';
  const name = migration.replaceAll('/', '.');
  return [
    warning(
      'router',
      message,
      `sysctl -w ${name}=1; to keep it: echo ${name}=1 > /etc/sysctl.d/90-davit.conf`,
    ),
  ];
}

/** A setting of the kernel below /proc/sys; '' where there is none. */
function readKernel(name: string): string {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return '';
  }
}
