import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../ask.ts';
import { serviceIds, usingPeers } from '../contenders.ts';
import type { MonitorCount, MonitorQuestion } from '../monitor_process.ts';
import type { Davit } from '../peers/davit.ts';
import { processorTime } from '../processes.ts';
import { inPercent, type Report } from '../report.ts';
import type { Run } from '../run.ts';
import { until } from '../until.ts';

const program = join(import.meta.dirname, '../programs/http.pl');
const mostOfPm2 = 0.5;

interface InstanceList {
  readonly instances: readonly { readonly port: number }[];
}

interface ServiceHealth {
  readonly present: readonly { readonly verdict: string }[];
  readonly history: readonly { readonly success: boolean; readonly count: number }[];
}

/** What it takes to ask 200 services over HTTP every ten seconds how they are, against PM2, which asks nobody. */
export async function measureProbes({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = serviceIds(quick ? 20 : 200);
  const seconds = quick ? 10 : 60;
  const davit = await contenders.davit(services);
  const pm2 = await contenders.pm2(services);
  const shares = await usingPeers(sandbox, [davit, pm2], async () => {
    await pm2.deployAll();
    await deploy(davit, services, null);
    const ports = await portsOf(davit, services);
    const monitor = startMonitor();
    try {
      await ask<MonitorCount>(monitor, { ports } satisfies MonitorQuestion);
      const unprobed = await observe(
        { davit: davit.daemonPid, pm2: pm2.daemonPid, monitor: monitor.pid },
        seconds,
      );
      const count = await ask<MonitorCount>(monitor, { count: true } satisfies MonitorQuestion);
      monitor.kill();
      await deploy(davit, services, { type: 'http', interval: '10s' });
      await until('every service is healthy', () => allHealthy(davit, services), { pause: 500 });
      const probed = await observe({ davit: davit.daemonPid }, seconds);
      const failures = await failuresOf(davit, services);
      return { unprobed, probed, count, failures };
    } finally {
      monitor.kill();
    }
  });
  const share = (of: Readonly<Record<string, number>>, name: string) => of[name] ?? Number.NaN;
  const probed = share(shares.probed, 'davit');
  const pm2Share = share(shares.unprobed, 'pm2');
  return {
    title: `${services.length} services, each asked over HTTP every 10 s`,
    columns: ['', 'CPU, of a core'],
    rows: [
      ['davit without probes', inPercent(share(shares.unprobed, 'davit'))],
      ['davit with them', inPercent(probed)],
      ['the monitor alone, in a process of its own', inPercent(share(shares.unprobed, 'monitor'))],
      ['PM2, which makes none', inPercent(pm2Share)],
    ],
    minimums: [
      {
        what: `agent CPU with ${services.length} services probed every 10 s, of PM2's with as many idle apps`,
        measured: `${(probed / pm2Share).toFixed(2)}×`,
        wanted: `under ${mostOfPm2}×`,
        held: probed < pm2Share * mostOfPm2,
      },
      {
        what: 'probes that failed although the service answers',
        measured: String(shares.count.failures + shares.failures),
        wanted: '0',
        held: shares.count.failures + shares.failures === 0,
      },
    ],
    notes: [
      `The daemons alone, over ${seconds} s. The services of davit are small servers, those of PM2 \`sleep 1000\`.`,
      `A probe is a new connection, a request and an answer: ${services.length / 10} of them a second. PM2 has no probes; it looks at its children only when they end or when it is asked.`,
      `The monitor alone made ${shares.count.probes} probes.`,
    ],
    samples: shares,
  };
}

function startMonitor(): ChildProcess {
  return fork(new URL('../monitor_process.ts', import.meta.url), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

async function deploy(davit: Davit, services: readonly string[], liveness: object | null): Promise<void> {
  const operations = services.map((service) => ({
    operation: 'deploy',
    service,
    body: { ...davit.spec(service), command: ['perl', program], port: 'auto', liveness },
  }));
  await davit.agent.askFor('POST', '/api/v1/batch', { operations });
}

async function portsOf(davit: Davit, services: readonly string[]): Promise<number[]> {
  const ports: number[] = [];
  for (const service of services) {
    const path = `/api/v1/services/${service}/instances`;
    const { body } = await davit.agent.askFor<InstanceList>('GET', path);
    ports.push(...body.instances.map(({ port }) => port));
  }
  return ports;
}

async function allHealthy(davit: Davit, services: readonly string[]): Promise<boolean> {
  for (const service of services) {
    const { present } = await healthOf(davit, service);
    if (present.length === 0 || present.some(({ verdict }) => verdict !== 'healthy')) return false;
  }
  return true;
}

/** How many probes failed since the service answered for the first time. */
async function failuresOf(davit: Davit, services: readonly string[]): Promise<number> {
  let failures = 0;
  for (const service of services) {
    const { history } = await healthOf(davit, service);
    const answered = history.slice(history.findIndex(({ success }) => success));
    for (const { success, count } of answered) if (!success) failures += count;
  }
  return failures;
}

async function healthOf(davit: Davit, service: string): Promise<ServiceHealth> {
  const { body } = await davit.agent.askFor<ServiceHealth>('GET', `/api/v1/services/${service}/health`);
  return body;
}

/** What share of a core each of these processes uses, three seconds from now on. */
async function observe(
  pids: Readonly<Record<string, number | undefined>>,
  seconds: number,
): Promise<Record<string, number>> {
  await sleep(3_000);
  const times = () => Object.entries(pids).map(([name, pid = 0]) => [name, processorTime(pid)] as const);
  const before = new Map(times());
  await sleep(seconds * 1_000);
  return Object.fromEntries(
    times().map(([name, time]) => [name, (time - (before.get(name) ?? 0)) / seconds]),
  );
}
