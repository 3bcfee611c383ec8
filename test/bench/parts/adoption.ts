import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serviceIds, usingPeers } from '../contenders.ts';
import type { Davit } from '../peers/davit.ts';
import { commandLines, processorTime, runningAs } from '../processes.ts';
import { program } from '../programs.ts';
import { inMilliseconds, inSeconds, type Report } from '../report.ts';
import type { Run } from '../run.ts';
import { until } from '../until.ts';

const mostSeconds = 1;

/** How a service is made to end, and what code it should be known to have ended with. */
interface Exit {
  readonly code: number;
  /** Sent to it; null: it exits with the code by itself. */
  readonly signal: NodeJS.Signals | null;
}

const signals = [
  ['SIGTERM', 143],
  ['SIGKILL', 137],
  ['SIGINT', 130],
  ['SIGHUP', 129],
  ['SIGSEGV', 139],
  ['SIGUSR1', 138],
] as const;

function exitOf(at: number): Exit {
  const [signal, code] = (at % 2 === 1 && signals[((at - 1) / 2) % signals.length]) || [null, 0];
  return signal === null ? { signal, code: at } : { signal, code };
}

interface Status {
  readonly status: string;
  readonly return_code?: number | null;
}

interface Sample {
  readonly cpu: number;
  readonly cpuWithoutServices: number;
  /** Milliseconds from the start of the new agent until all were shown as they are. */
  readonly shown: number;
  readonly running: number;
  /** What was known of each service that ended while no agent ran. */
  readonly exits: readonly { readonly expected: Exit; readonly known: Status | undefined }[];
  readonly ended: number;
}

/** What a new agent needs to take up what runs, and what it knows of what ended before it came. */
export async function measureAdoption({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = serviceIds(quick ? 60 : 500);
  const leaving = services.slice(0, services.length / 10);
  const folder = sandbox.makeFolder('pipes');
  const pipe = (service: string) => join(folder, service);
  await promisify(execFile)('mkfifo', leaving.map(pipe));
  const command = (service: string) =>
    leaving.includes(service) ? program('exits.sh', pipe(service)) : ['sleep', '1000'];
  const peer = await contenders.davit(services, { command });
  const sample = await usingPeers(sandbox, [peer], async () => {
    const cpuWithoutServices = await cpuOfStart(peer);
    await peer.deployAll();
    await peer.agent.kill();
    const lines = commandLines();
    for (const [at, service] of leaving.entries()) {
      leave(exitOf(at), runningAs(command(service), lines).at(0) ?? 0, pipe(service));
    }
    await until(
      'they have ended',
      () => !leaving.some((service) => runningAs(command(service), commandLines()).length > 0),
    );
    return { cpuWithoutServices, ...(await takeUp(peer, services, leaving)) };
  });
  return report(sample, services.length);
}

/** The agent's own start, in seconds of processor time. */
async function cpuOfStart({ agent }: Davit): Promise<number> {
  await agent.kill();
  await agent.launch();
  return processorTime(agent.pid);
}

function leave({ signal, code }: Exit, pid: number, pipe: string): void {
  if (pid === 0) throw new Error('a service does not run that should');
  if (signal === null) writeFileSync(pipe, `${code}\n`);
  else process.kill(pid, signal);
}

async function takeUp(
  { agent }: Davit,
  services: readonly string[],
  leaving: readonly string[],
): Promise<Omit<Sample, 'cpuWithoutServices'>> {
  const began = performance.now();
  await agent.launch();
  let statuses: Record<string, Status> = {};
  const running = () => services.filter((service) => statuses[service]?.status === 'running').length;
  const ended = () => leaving.filter((service) => statuses[service]?.status === 'stopped').length;
  await until(
    'all are shown as they are',
    async () => {
      statuses = (await agent.askFor<Record<string, Status>>('GET', '/services')).body;
      return running() === services.length - leaving.length && ended() === leaving.length;
    },
    { pause: 50 },
  ).catch(() => undefined);
  return {
    cpu: processorTime(agent.pid),
    shown: performance.now() - began,
    running: running(),
    ended: ended(),
    exits: leaving.map((service, at) => ({ expected: exitOf(at), known: statuses[service] })),
  };
}

function report(sample: Sample, services: number): Report {
  const { cpu, cpuWithoutServices, exits, shown, running } = sample;
  const right = exits.filter(({ expected, known }) => known?.return_code === expected.code);
  const codes = exits.filter(({ expected }) => expected.signal === null);
  const rightCodes = right.filter(({ expected }) => expected.signal === null);
  return {
    title: `${services} services taken up after kill -9, ${exits.length} of them ended meanwhile`,
    columns: ['', 'agent CPU', 'start until shown', 'shown running', 'shown ended'],
    rows: [
      [
        'davit',
        inSeconds(cpu),
        inMilliseconds(shown),
        `${running} of ${services - exits.length}`,
        `${sample.ended} of ${exits.length}`,
      ],
      ['davit, start without services', inSeconds(cpuWithoutServices), '', '', ''],
    ],
    minimums: [
      {
        what: `agent CPU until ${services} are taken up`,
        measured: inSeconds(cpu),
        wanted: `under ${mostSeconds} s`,
        held: cpu < mostSeconds && running === services - exits.length,
      },
      {
        what: 'exits while no agent ran that are known with their code',
        measured: `${right.length} of ${exits.length}`,
        wanted: 'all',
        held: right.length === exits.length,
      },
    ],
    notes: [
      `Of ${codes.length} that exited with a code ${rightCodes.length} are known with it, of ${exits.length - codes.length} that a signal ended ${right.length - rightCodes.length}.`,
      'CPU of the whole new process, its start included, until `GET /services` shows each as it is.',
      'supervisord and PM2 take up nothing: they start second copies beside what runs.',
    ],
    samples: { sample },
  };
}
