import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { usingPeers } from '../contenders.ts';
import { Davit } from '../peers/davit.ts';
import type { Peer } from '../peers/peer.ts';
import { commandLines } from '../processes.ts';
import { program } from '../programs.ts';
import { inMilliseconds, type Minimum, type Report } from '../report.ts';
import type { Run } from '../run.ts';
import { median } from '../statistics.ts';
import { until } from '../until.ts';

/** What `tree.pl` can start. */
const kinds = ['ignores-term', 'setsid-child', 'double-fork', 'fork-chaser'] as const;
type Kind = (typeof kinds)[number];

/** How long what is left has to show itself, in milliseconds. */
const settling = 400;

interface Sample {
  readonly kind: Kind;
  /** Processes that the stop left behind. */
  readonly left: number;
  readonly milliseconds: number;
  /** What the answer said of itself; empty where the daemon says nothing. */
  readonly complete: string;
}

/** What a stop leaves of services that are hard to stop. */
export async function measureStop({ sandbox, contenders, quick }: Run): Promise<Report> {
  const samples: Record<string, Sample[]> = {};
  for (let round = 0; round < (quick ? 1 : 5); round += 1) {
    const paths = sandbox.makeFolder('trees');
    const options = (contender: string) => ({
      stopTimeout: 1,
      command: (kind: string) => program('tree.pl', kind, pathOf(paths, contender, kind)),
    });
    const withoutGroups = { DAVIT_CGROUPS: 'off' };
    const starts: Record<string, () => Promise<Peer>> = {
      davit: () => contenders.davit(kinds, options('davit')),
      'davit without cgroups': () =>
        contenders.davit(kinds, { ...options('plain'), environment: withoutGroups }),
      supervisord: () => contenders.supervisord(kinds, options('supervisord')),
      PM2: () => contenders.pm2(kinds, options('PM2')),
    };
    const names = {
      davit: 'davit',
      'davit without cgroups': 'plain',
      supervisord: 'supervisord',
      PM2: 'PM2',
    };
    for (const [name, start] of Object.entries(starts)) {
      const peer = await start();
      const path = (kind: Kind) => pathOf(paths, names[name as keyof typeof names], kind);
      const found = await usingPeers(sandbox, [peer], () => measureKinds(peer, path));
      samples[name] = [...(samples[name] ?? []), ...found];
    }
  }
  return report(samples);
}

function pathOf(folder: string, contender: string, kind: string): string {
  return join(folder, `${contender}-${kind}`);
}

async function measureKinds(peer: Peer, pathOfKind: (kind: Kind) => string): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const kind of kinds) {
    const path = pathOfKind(kind);
    writeFileSync(`${path}.wanted`, '');
    try {
      samples.push(await measure(peer, kind, path));
    } finally {
      rmSync(`${path}.wanted`);
    }
    await until(`${kind} has been cleared away`, () => processesNaming(path) === 0);
  }
  return samples;
}

async function measure(peer: Peer, kind: Kind, path: string): Promise<Sample> {
  await peer.deploy(kind);
  await until(`${kind} is ready`, () => existsSync(`${path}.ready`));
  await sleep(50);
  const began = performance.now();
  let complete = '';
  if (peer instanceof Davit) complete = (await peer.stopFully(kind)).body.stop?.complete ?? 'not said';
  else await peer.stopService(kind);
  const milliseconds = performance.now() - began;
  await sleep(settling / 2);
  const beats = beatsOf(path);
  await sleep(settling / 2);
  // Who chases may hide from any look, but not that the file grows.
  const chases = beatsOf(path) > beats ? 1 : 0;
  return { kind, complete, milliseconds, left: Math.max(processesNaming(path), chases) };
}

function beatsOf(path: string): number {
  return statSync(`${path}.beat`, { throwIfNoEntry: false })?.size ?? 0;
}

function processesNaming(path: string): number {
  return [...commandLines()]
    .filter(([words]) => words.split('\0').includes(path))
    .reduce((sum, [, pids]) => sum + pids.length, 0);
}

function report(samples: Readonly<Record<string, readonly Sample[]>>): Report {
  const rounds = (samples['davit']?.length ?? 0) / kinds.length;
  const ofKind = (list: readonly Sample[], kind: Kind) => list.filter((sample) => sample.kind === kind);
  const left = (list: readonly Sample[]) => list.filter((sample) => sample.left > 0).length;
  return {
    title: `Stop of what is hard to stop: of ${rounds} stops each, how many left something behind`,
    columns: ['', ...kinds, 'slowest median', 'the answer said'],
    rows: Object.entries(samples).map(([name, list]) => [
      name,
      ...kinds.map((kind) => String(left(ofKind(list, kind)))),
      inMilliseconds(
        Math.max(...kinds.map((kind) => median(ofKind(list, kind).map(({ milliseconds }) => milliseconds)))),
      ),
      [...new Set(list.map(({ complete }) => complete))].join(', '),
    ]),
    minimums: [withGroups(samples['davit'] ?? []), withoutGroups(samples['davit without cgroups'] ?? [])],
    notes: [
      'ignores-term: a child in the same group; setsid-child: a child in its own session; double-fork: a daemon with an empty environment; fork-chaser: starts its successor and ends, for ever, in its own session.',
      'A second from SIGTERM to SIGKILL; supervisord with stopasgroup and killasgroup, PM2 with its treekill.',
    ],
    samples: { ...samples },
  };
}

function withGroups(list: readonly Sample[]): Minimum {
  const left = list.filter((sample) => sample.left > 0).length;
  const guaranteed = list.filter(({ complete }) => complete === 'guaranteed').length;
  return {
    what: 'stops with cgroups that left something',
    measured: `${left} of ${list.length}, ${guaranteed} answered guaranteed`,
    wanted: '0, all guaranteed',
    held: left === 0 && guaranteed === list.length,
  };
}

function withoutGroups(list: readonly Sample[]): Minimum {
  const left = list.filter((sample) => sample.left > 0).length;
  const unsaid = list.filter(({ complete }) => complete !== 'best_effort').length;
  return {
    what: 'stops without cgroups that did not say best_effort',
    measured: `${unsaid} of ${list.length}, ${left} left something`,
    wanted: '0',
    held: unsaid === 0,
  };
}
