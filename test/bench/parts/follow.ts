import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../ask.ts';
import { usingPeers } from '../contenders.ts';
import type { Followed, Following } from '../follow_process.ts';
import { LogFollower } from '../log_follower.ts';
import { plainEnvironment } from '../peers/daemon.ts';
import type { Davit } from '../peers/davit.ts';
import { memoryOf, processorTime } from '../processes.ts';
import { program } from '../programs.ts';
import { inMebibytes, inMilliseconds, inPercent, type Report } from '../report.ts';
import type { Run } from '../run.ts';
import type { Sandbox } from '../sandbox.ts';
import { median, quantile } from '../statistics.ts';
import { until } from '../until.ts';

const mostDelay = 150;
/** Of the rate without followers; what lies between is how exactly a second can be cut out. */
const leastShare = 0.98;
const followers = 100;
const busyRate = 10_000;
const lineSize = 'busy'.length + 27;

/** How often a service writes a line: seconds between two, at random. */
const paces: Readonly<Record<string, readonly [number, number]>> = {
  quiet: [1, 2],
  chatty: [0.02, 0.1],
};

interface Phase {
  /** Lines per second that the service wrote. */
  readonly rate: number;
  /** Of one core. */
  readonly share: number;
  readonly resident: number;
  readonly open: number;
  readonly bytes: number;
  /** Milliseconds of questions that had nothing to do with it. */
  readonly answers: readonly number[];
}

/** How soon a line reaches who follows, and whether many who follow slow down who writes. */
export async function measureFollow({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = [...Object.keys(paces), 'busy'];
  const command = (service: string) =>
    service === 'busy'
      ? program('numbered.pl', service, busyRate)
      : program('stamped.pl', ...(paces[service] ?? [1, 2]));
  const peer = await contenders.davit(services, { command });
  return usingPeers(sandbox, [peer], async () => {
    const delays = await measureDelays(sandbox, peer, quick ? 10 : 60);
    const phases = await measureBusy(sandbox, peer, quick ? 5 : 20);
    return report(delays, phases);
  });
}

async function measureDelays(
  sandbox: Sandbox,
  peer: Davit,
  seconds: number,
): Promise<Record<string, number[]>> {
  const delays: Record<string, number[]> = {};
  const open: LogFollower[] = [];
  await sandbox.using(
    async () => void (await Promise.all(open.map((follower) => follower.stop()))),
    async () => {
      for (const service of Object.keys(paces)) {
        await peer.deploy(service);
        const list: number[] = [];
        delays[service] = list;
        const onLine = (line: string) => {
          list.push(performance.timeOrigin + performance.now() - Number(line) / 1000);
        };
        const { url, headers } = peer;
        open.push(new LogFollower({ url, headers, service, lines: 0, onLine }));
      }
      await sleep(seconds * 1000);
    },
  );
  return delays;
}

/** The same service without followers, with them, and without them again. */
async function measureBusy(sandbox: Sandbox, peer: Davit, seconds: number): Promise<Record<string, Phase>> {
  await peer.deploy('busy');
  await sleep(1000);
  const before = await observe(peer, seconds, null);
  const process = fork(new URL('../follow_process.ts', import.meta.url), {
    env: plainEnvironment(sandbox.folder),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const during = await sandbox.using(
    async () => void process.kill('SIGKILL'),
    async () => {
      const { url, headers } = peer;
      await ask(process, { url, headers, service: 'busy', followers } satisfies Following);
      await until('all follow', async () => (await askAgain(process)).open === followers, { pause: 100 });
      return observe(peer, seconds, process);
    },
  );
  await sleep(1000);
  return {
    'without followers': before,
    [`with ${followers}`]: during,
    'without again': await observe(peer, seconds, null),
  };
}

function askAgain(process: ChildProcess): Promise<Followed> {
  return ask<Followed>(process, 0);
}

async function observe(peer: Davit, seconds: number, process: ChildProcess | null): Promise<Phase> {
  if (process !== null) await askAgain(process);
  const before = {
    bytes: peer.outputBytes('busy'),
    cpu: processorTime(peer.daemonPid),
    at: performance.now(),
  };
  const answers = await askForStatus(peer, seconds);
  const took = (performance.now() - before.at) / 1000;
  const written = peer.outputBytes('busy') - before.bytes;
  const { open, bytes } = process === null ? { open: 0, bytes: 0 } : await askAgain(process);
  return {
    rate: written / lineSize / took,
    share: (processorTime(peer.daemonPid) - before.cpu) / took,
    resident: memoryOf(peer.daemonPid).resident,
    open,
    bytes: bytes / took,
    answers,
  };
}

/** Milliseconds of a question every 50 ms: whether the agent has time for anyone else. */
async function askForStatus({ agent }: Davit, seconds: number): Promise<number[]> {
  const answers: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    answers.push((await agent.askFor('GET', '/service/busy/status')).milliseconds);
    await sleep(50);
  }
  return answers;
}

function report(
  delays: Readonly<Record<string, readonly number[]>>,
  phases: Readonly<Record<string, Phase>>,
): Report {
  const worst = Math.max(...Object.values(delays).map(median));
  const [before, during] = Object.values(phases);
  const share = (during?.rate ?? Number.NaN) / (before?.rate ?? Number.NaN);
  return {
    title: 'Following a log',
    columns: ['', 'median', 'p99', 'lines', 'lines/s', 'agent CPU', 'agent RSS', 'received'],
    rows: [
      ...Object.entries(delays).map(([name, list]) => [
        `line of a ${name} service, written → received`,
        inMilliseconds(median(list)),
        inMilliseconds(quantile(list, 0.99)),
        `${list.length}`,
      ]),
      ...Object.entries(phases).map(([name, phase]) => [
        `a status, busy service ${name}`,
        inMilliseconds(median(phase.answers)),
        inMilliseconds(quantile(phase.answers, 0.99)),
        '',
        phase.rate.toFixed(0),
        inPercent(phase.share),
        inMebibytes(phase.resident),
        `${inMebibytes(phase.bytes)}/s`,
      ]),
    ],
    minimums: [
      {
        what: 'line written → received, the worse median',
        measured: inMilliseconds(worst),
        wanted: `under ${mostDelay} ms`,
        held: worst < mostDelay,
      },
      {
        what: `rate of a busy service with ${followers} followers, of that without`,
        measured: `${inPercent(share)}, ${during?.open} still follow`,
        wanted: `${leastShare * 100} %`,
        held: share >= leastShare && during?.open === followers,
      },
    ],
    notes: [
      'A quiet service writes a line every 1 to 2 s, a chatty one every 20 to 100 ms; both clocks are that of the host.',
      `The busy service has the task of ${busyRate} lines/s, each by a write of its own, and catches up what it misses.`,
      'Meanwhile `GET /service/busy/status` is asked every 50 ms.',
    ],
    samples: { delays, phases },
  };
}
