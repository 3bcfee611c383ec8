import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import type { TestContext } from 'node:test';
import { type Probe, probe as probeSchema } from '../../src/contract/probe.ts';
import type { ProbeResult } from '../../src/health/attempt.ts';
import { probeCheck } from '../../src/health/probe_check.ts';
import type { ProbedInstance } from '../../src/health/target.ts';

/** A probe with every default filled in. */
export function probeOf(fields: Readonly<Record<string, unknown>>): Probe {
  return probeSchema.parse(fields);
}

/** An instance that nothing but its port is known of. */
export function instanceAt(port: number | null, known: Partial<ProbedInstance> = {}): ProbedInstance {
  return {
    port,
    runCommand: () => Promise.reject(new Error('nothing can be run here')),
    usage: async () => null,
    isAlive: () => true,
    ...known,
  };
}

/** Makes one probe of the instance behind a port. */
export function ask(
  fields: Readonly<Record<string, unknown>>,
  port: number | null,
  known: Partial<ProbedInstance> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<ProbeResult> {
  return probeCheck(probeOf(fields), instanceAt(port, known))(signal);
}

/** Lets a server listen on a free port until the test has ended. */
export async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    (server as { closeAllConnections?: () => void }).closeAllConnections?.();
  });
  return (server.address() as AddressInfo).port;
}

/** A port that nobody listens on. */
export async function closedPort(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
