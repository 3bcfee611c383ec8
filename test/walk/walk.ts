import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { deploy, type Situation } from './asks.ts';
import { compare, describe, type Verdict } from './check.ts';
import { Lane, type Seen } from './lane.ts';
import type { Modelled, World } from './model.ts';
import { alone, anyStep, type Step } from './steps.ts';
import { type Name, names, usual } from './variants.ts';

export interface WalkOptions {
  readonly seed: number;
  /** How many steps are tried at most. */
  readonly length: number;
  /** How long a failure is made smaller, in milliseconds. Default: not at all. */
  readonly shrinkTime?: number;
}

export interface WalkResult {
  readonly operations: number;
  /** What was done, how often. */
  readonly counts: ReadonlyMap<string, number>;
  /** Null: nothing was wrong. */
  readonly failure: string | null;
}

/** How long the services may take to become what they must be on a busy machine, in milliseconds. */
const patience = 30_000;
/** Every so many steps the agent is asked for orphans. */
const orphansEvery = 5;

/** What is known of a lane: the model, and what was seen last. */
interface Known {
  situation: Situation;
  steps: number;
  readonly history: string[];
}

/**
 * Walks once, from a new agent without services.
 * @param open holds the lanes that are to be disposed of when the walk is cut short
 */
export async function walk(
  { seed, length, shrinkTime = 0 }: WalkOptions,
  open = new Set<Lane>(),
): Promise<WalkResult> {
  const counts = new Map<string, number>();
  let operations = 0;
  const note = ({ title, weight }: Step) => {
    operations += weight;
    const kind = title.replace(/ (db|api|web|worker|solo)\b.*/, '');
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  };
  const steps = fc.commands([anyStep.map((step) => new Command(step, note))], {
    maxCommands: length,
    size: 'max',
  });
  const property = fc.asyncProperty(steps, async (commands) => {
    await using lane = new Lane();
    open.add(lane);
    await lane.start();
    const situation = { world: nothing, seen: await lane.look() };
    const known: Known = { situation, steps: 0, history: [] };
    for (const name of names) await new Command(alone(deploy(name, usual)), note).run(known, lane);
    await fc.asyncModelRun(() => ({ model: known, real: lane }), commands);
    // What comes late must not come at all.
    await sleep(300);
    await agree(lane, [known.situation.world], true);
    await lane.end();
    open.delete(lane);
  });
  const result = await fc.check(property, {
    seed,
    numRuns: 1,
    endOnFailure: shrinkTime === 0,
    ...(shrinkTime > 0 && { interruptAfterTimeLimit: shrinkTime }),
  });
  return { operations, counts, failure: result.failed ? failureOf(result) : null };
}

function failureOf({
  counterexample,
  errorInstance,
  numShrinks,
}: Pick<fc.RunDetails<unknown>, 'counterexample' | 'errorInstance' | 'numShrinks'>): string {
  const message = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  if (numShrinks === 0) return message;
  return `${message}\nafter ${numShrinks} times made smaller:\n${String(counterexample)}`;
}

class Command implements fc.AsyncCommand<Known, Lane> {
  readonly #step: Step;
  readonly #note: (step: Step) => void;

  constructor(step: Step, note: (step: Step) => void) {
    this.#step = step;
    this.#note = note;
  }

  check({ situation }: Readonly<Known>): boolean {
    return this.#step.outcomes(situation) !== null;
  }

  async run(known: Known, lane: Lane): Promise<void> {
    const step = this.#step;
    const { situation } = known;
    const outcomes = step.outcomes(situation) ?? [];
    known.history.push(step.title);
    known.steps += 1;
    try {
      await step.act(lane, situation);
      const agreed = await agree(lane, outcomes, known.steps % orphansEvery === 0);
      known.situation = { ...agreed, world: await withReleases(lane, agreed.world, step.unsure) };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const before = Object.entries(situation.world).map(([name, each]) => `  ${name}: ${describe(each)}`);
      const parts = [
        message,
        `in ${step.title}`,
        'before it:',
        ...before,
        'the last steps:',
        ...known.history.slice(-12),
        'the last events:',
        ...(await lane.lastEvents()),
        'the last words of the agent:',
        ...lane.agent.log.slice(-5).map((record) => JSON.stringify(record)),
      ];
      throw new Error(parts.join('\n'));
    }
    this.#note(step);
  }

  toString(): string {
    return this.#step.title;
  }
}

/** Waits until one of the worlds is so, and resolves with that one. */
async function agree(lane: Lane, worlds: readonly World[], withOrphans: boolean): Promise<Situation> {
  const deadline = Date.now() + patience;
  for (;;) {
    const seen: Seen = await lane.look();
    const verdicts = worlds.map((world) => compare(lane, world, seen));
    const found = verdicts.find(({ problems }) => problems.length === 0);
    const wrong = [
      ...(await lane.eventProblems()),
      ...lane.ownProblems(),
      ...(found && withOrphans ? await lane.orphanProblems() : []),
    ];
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
    if (found) return { world: found.world, seen };
    if (Date.now() > deadline) throw new Error(leastProblems(verdicts));
    await sleep(10);
  }
}

function leastProblems(verdicts: readonly Verdict[]): string {
  const [least] = verdicts.toSorted((one, other) => one.problems.length - other.problems.length);
  return `of ${verdicts.length} things that may be so, none is:\n${least?.problems.join('\n')}`;
}

/** Takes over which releases a service has, where the model cannot know. */
async function withReleases(lane: Lane, world: World, unsure: readonly Name[]): Promise<World> {
  const learned: Partial<Record<Name, Modelled>> = {};
  for (const name of unsure) {
    const service = world[name];
    if (service === null) continue;
    const list = await lane.releasesOf(name);
    const releases = list.map(({ release, outcome, variant, spec }) => {
      return [release, { variant, outcome, instances: spec.instances }] as const;
    });
    learned[name] = {
      ...service,
      last: Math.max(...list.map(({ release }) => release)),
      releases: new Map(releases),
    };
  }
  return { ...world, ...learned };
}

const nothing = Object.fromEntries(names.map((name) => [name, null])) as World;
