import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  controlGroups,
  livingInstances,
  livingMarks,
  type SeenInstance,
  writtenRuns,
  zombiesOf,
} from './host.ts';
import { logProblems } from './log_check.ts';
import type { Sandbox } from './sandbox.ts';

/** What a service may be: the release that runs, or that it is stopped, or that there is none. */
export type Outcome = number | 'stopped' | 'absent';

/** For each service what it may be. */
export type Wanted = Readonly<Record<string, readonly Outcome[]>>;

export interface Demands {
  /** Whether lines may be missing, because there was no place for them. Default: none. */
  readonly mayLoseLines?: boolean;
  /** Whether lines of different programs may be mixed, because nobody knows any more when they were written. */
  readonly mayMixRuns?: boolean;
  /** How many instances a service has that runs, which may be beside those that they replace. Default: one, and never two. */
  readonly instances?: number;
}

/** How long the agent may take to bring everything into order on a busy machine, in milliseconds. */
const patience = 40_000;

/**
 * Waits until everything is in order, and rejects with what is not. Resolves with what each service has become.
 * What must never have been, such as two programs at a time, is found as well.
 */
export async function assertInOrder(
  sandbox: Sandbox,
  wanted: Wanted,
  demands: Demands = {},
): Promise<Record<string, Outcome>> {
  const deadline = Date.now() + patience;
  for (;;) {
    const { problems, outcomes } = await look(sandbox, wanted, demands);
    if (problems.length === 0) return outcomes;
    if (Date.now() > deadline) throw new Error(problems.join('\n'));
    await sleep(100);
  }
}

async function look(sandbox: Sandbox, wanted: Wanted, demands: Demands) {
  const health = await sandbox.ask('GET', '/health');
  if (health?.status !== 200)
    return { problems: [`the agent does not answer: ${health?.status}`], outcomes: {} };
  const busy = underWay(sandbox);
  if (busy.length > 0)
    return { problems: [`the replacement of ${busy.join(', ')} is still under way`], outcomes: {} };
  const before = writtenRuns(sandbox.written);
  const living = livingInstances(sandbox.folder);
  const outcomes: Record<string, Outcome> = {};
  const problems = leftovers(sandbox, living);
  for (const [service, allowed] of Object.entries(wanted)) {
    const own = living.filter((instance) => instance.service === service);
    const { outcome, doubts } = await outcomeOf(sandbox, service, own, demands.instances ?? 1);
    outcomes[service] = outcome;
    problems.push(...doubts);
    if (!allowed.includes(outcome)) problems.push(`"${service}" is ${outcome}, not ${allowed.join(' or ')}`);
    if (demands.instances === undefined) problems.push(...overlaps(sandbox, service));
    if (outcome === 'absent') {
      if (existsSync(join(sandbox.data, 'logs', service))) problems.push(`the logs of "${service}" are left`);
    } else problems.push(...(await logProblems(sandbox, service, demands)));
  }
  const unknown = living.filter(({ service }) => wanted[service] === undefined);
  problems.push(...unknown.map(({ service }) => `"${service}" runs, of which nobody knows`));
  if (problems.length === 0) problems.push(...(await heartbeatProblems(sandbox, before, living)));
  return { problems, outcomes };
}

/** The services whose replacement has been begun and not ended, as it is written down. */
function underWay({ data }: Sandbox): string[] {
  const database = new DatabaseSync(join(data, 'davit.db'), { readOnly: true });
  try {
    const rows = database
      .prepare(`SELECT id FROM services WHERE json_extract(record, '$.under_way') IS NOT NULL`)
      .all();
    return rows.map(({ id }) => String(id));
  } finally {
    database.close();
  }
}

/** What a service is by the host, and where the agent does not agree. */
async function outcomeOf(sandbox: Sandbox, service: string, living: readonly SeenInstance[], count: number) {
  const answer = await sandbox.ask('GET', `/service/${service}/status`);
  const doubts: string[] = [];
  const shown = answer?.status === 404 ? 'absent' : String(answer?.body.status);
  const [instance] = living;
  if (instance === undefined) {
    if (shown !== 'absent' && shown !== 'stopped')
      doubts.push(`"${service}" is shown as ${shown}, and nothing runs`);
    return { outcome: shown === 'absent' ? ('absent' as const) : ('stopped' as const), doubts };
  }
  const { release } = instance;
  if (living.length !== count) doubts.push(`"${service}" runs ${living.length} times`);
  if (shown !== 'running')
    doubts.push(`"${service}" is shown as ${shown}, and ${instance.pids.length} processes run`);
  const programs = living.map((each) => programOf(sandbox, each, doubts));
  if (!programs.includes(answer?.body.pid))
    doubts.push(`pid ${answer?.body.pid} is shown, the program is ${programs.join(' or ')}`);
  if (living.some((each) => each.release !== answer?.body.release))
    doubts.push(`release ${answer?.body.release} is shown, and not all is of that`);
  doubts.push(...(await placeProblems(sandbox, service, living)));
  return { outcome: release, doubts };
}

/** The pid of the program of an instance; what is wrong with its processes is added to `doubts`. */
function programOf(
  sandbox: Sandbox,
  { id, service, pids, wrappers }: SeenInstance,
  doubts: string[],
): number {
  const written = writtenRuns(sandbox.written, service).filter((run) => run.instance === id);
  if (written.length !== 1) doubts.push(`instance ${id} started its program ${written.length} times`);
  const program = written[0]?.pid ?? 0;
  if (!pids.includes(program)) doubts.push(`the program ${program} of "${service}" is dead, its tree is not`);
  if (wrappers.length !== 1) doubts.push(`"${service}" has ${wrappers.length} wrappers`);
  return program;
}

/** What the agent says of places where nothing runs, or where what runs is to go. */
async function placeProblems(
  sandbox: Sandbox,
  service: string,
  living: readonly SeenInstance[],
): Promise<string[]> {
  const answer = await sandbox.ask('GET', `/api/v1/services/${service}/instances`);
  const shown: { instance: number; status: string }[] = answer?.body.instances ?? [];
  const numbers = living.map(({ number }) => number);
  return shown
    .filter(({ instance, status }) => status !== 'running' || !numbers.includes(instance))
    .map(({ instance, status }) => `instance ${instance} of "${service}" is shown as ${status}`);
}

/** What dead instances have left. */
function leftovers(sandbox: Sandbox, living: readonly SeenInstance[]): string[] {
  const { pid: agent = 0 } = sandbox.agent.child;
  const marks = livingMarks();
  const files = readdirSync(join(sandbox.data, 'instances')).filter((name) => !name.startsWith('ready.'));
  const dead = files.filter((name) => !marks.has(name.replace(/\.(lifeline|notes)$/, '')));
  const instances = new Set(living.map(({ id }) => id));
  // The ids of one agent's instances begin alike.
  const known = [...instances, ...writtenRuns(sandbox.written).map(({ instance }) => instance)];
  const prefixes = new Set(known.map((id) => id.slice(0, id.indexOf('-'))));
  const isOwn = (id: string) => prefixes.has(id.slice(0, id.indexOf('-')));
  const groups = [...controlGroups()].filter(([id]) => isOwn(id) && !marks.has(id));
  const waiting = [...marks].filter(
    ([id, parents]) => isOwn(id) && !instances.has(id) && !parents.includes(agent),
  );
  return [
    ...dead.map((name) => `instances/${name} is left`),
    ...groups.map(([, folder]) => `the control group ${folder} is left`),
    ...waiting.map(([id]) => `a process of instance ${id} is left, which has no program`),
    ...zombiesOf(agent).map((zombie) => `the zombie ${zombie} is left`),
  ];
}

/** Programs of one service that wrote at the same time. */
function overlaps({ written }: Sandbox, service: string): string[] {
  const runs = writtenRuns(written, service);
  return runs.flatMap((run, at) => {
    const next = runs[at + 1];
    if (next === undefined || !(next.first < run.last)) return [];
    return [`releases ${run.release} and ${next.release} of "${service}" ran at the same time`];
  });
}

/** Exactly the programs that live write on. */
async function heartbeatProblems(
  { written }: Sandbox,
  before: ReturnType<typeof writtenRuns>,
  living: readonly SeenInstance[],
): Promise<string[]> {
  const linesOf = new Map(before.map(({ instance, lines }) => [instance, lines]));
  const alive = new Set(living.map(({ id }) => id));
  for (let looks = 1; ; looks++) {
    await sleep(100);
    const wrong = writtenRuns(written).filter(
      ({ instance, lines }) => lines > (linesOf.get(instance) ?? 0) !== alive.has(instance),
    );
    if (wrong.length === 0) return [];
    // A busy machine may keep a program waiting; whoever is dead writes nothing at any time.
    if (looks === 50 || wrong.some(({ instance }) => !alive.has(instance)))
      return wrong.map(({ service, instance }) =>
        alive.has(instance) ? `"${service}" does not write on` : `"${service}" writes although it is dead`,
      );
  }
}
