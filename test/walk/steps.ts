import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { untilGone } from '../helpers/system.ts';
import { type Ask, anyAsk, anyLoneAsk, type Effect, isAwaited, type Situation } from './asks.ts';
import type { SeenProcess } from './host.ts';
import { kill, type Lane } from './lane.ts';
import {
  ended,
  loopedUntilFailed,
  type Modelled,
  vague,
  variantOf,
  type World,
  withRelease,
} from './model.ts';
import { hasReadiness, mayDependOn, type Name, names, type Variant } from './variants.ts';

/** Something that is done to a lane. */
export interface Step {
  readonly title: string;
  /** How many operations it is. */
  readonly weight: number;
  /** What may become of the services by it, any one of these worlds; null: that cannot be foreseen. */
  outcomes(situation: Situation): readonly World[] | null;
  act(lane: Lane, situation: Situation): Promise<void>;
  /** Services of which nobody knows which releases they have then. */
  readonly unsure: readonly Name[];
}

const anyName = fc.constantFrom(...names);
/** An instance, as the first, second or third of its service. */
const anyNumber = fc.integer({ min: 1, max: 3 });
/** Of an instance: new ones are there beside old ones. */
const greatestNumber = 12;

export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 40, arbitrary: anyAsk.map(alone) },
  { weight: 7, arbitrary: anyLoneAsk.map(alone) },
  { weight: 6, arbitrary: fc.tuple(anyAsk, anyAsk, anyAsk).map(side) },
  { weight: 5, arbitrary: fc.tuple(anyAsk, anyAsk).map(([first, second]) => race([first, second])) },
  { weight: 3, arbitrary: fc.tuple(anyAsk, anyNumber).map(raceWithDeath) },
  { weight: 8, arbitrary: fc.tuple(anyName, anyNumber, fc.constant('program' as const)).map(killing) },
  { weight: 4, arbitrary: fc.tuple(anyName, anyNumber, fc.constant('wrapper' as const)).map(killing) },
  { weight: 6, arbitrary: fc.tuple(anyName, anyNumber, fc.constantFrom(0, 7)).map(exiting) },
  { weight: 3, arbitrary: anyName.map(killAll) },
  { weight: 4, arbitrary: fc.tuple(anyName, anyNumber).map(unready) },
  { weight: 5, arbitrary: anyName.map(ready) },
  { weight: 4, arbitrary: fc.tuple(anyName, anyNumber).map(unhealthy) },
  { weight: 2, arbitrary: fc.tuple(anyName, anyNumber).map(crashLoop) },
  { weight: 2, arbitrary: fc.constant(null).map(agentKilled) },
  { weight: 1, arbitrary: fc.constant(null).map(agentEnded) },
  {
    weight: 2,
    arbitrary: fc.array(fc.tuple(anyName, anyNumber), { minLength: 1, maxLength: 3 }).map(diedMeanwhile),
  },
  { weight: 3, arbitrary: fc.tuple(anyAsk, fc.integer({ min: 0, max: 120 })).map(agentKilledIn) },
);

/** One operation that nothing disturbs answers what it should. */
export function alone(ask: Ask): Step {
  return {
    title: ask.title,
    weight: 1,
    unsure: [],
    outcomes: (situation) => worldsOf(situation, [ask.effect(situation.world[ask.service], situation)], ask),
    act: async (lane, situation) => {
      const expected = ask.effect(situation.world[ask.service], situation)?.status;
      const answer = await ask.send(lane, situation);
      assert.equal(answer?.status, expected, `${ask.title}: ${JSON.stringify(answer?.body ?? 'no answer')}`);
    },
  };
}

/** Operations on services that have nothing to do with each other, at the same time. */
function side(asks: readonly Ask[]): Step {
  return {
    title: `at the same time ${asks.map(({ title }) => title).join(' | ')}`,
    weight: asks.length,
    unsure: [],
    outcomes: (situation) => {
      const chosen = asks.map(({ service }) => service);
      if (chosen.some((one, at) => chosen.some((other, place) => place > at && areRelated(one, other))))
        return null;
      return asks.reduce<readonly World[] | null>(
        (worlds, ask) =>
          worlds?.[0] === undefined
            ? null
            : worldsOf(
                { ...situation, world: worlds[0] },
                [ask.effect(situation.world[ask.service], situation)],
                ask,
              ),
        [situation.world],
      );
    },
    act: async (lane, situation) => {
      await Promise.all(asks.map((ask) => alone(ask).act(lane, situation)));
    },
  };
}

/** Operations on one service at the same time: each is done, in some order. */
function race([first, other]: readonly [Ask, Ask]): Step {
  return {
    title: `on one service ${first.title} | ${other.title}`,
    weight: 2,
    unsure: [first.service],
    outcomes: (situation) => {
      if (first.service !== other.service) return null;
      const endsIt = [first, other].some(({ title }) => /^(stop|delete) /.test(title));
      if (endsIt && isAwaited(first.service, situation)) return null;
      const orders = [
        [first, other],
        [other, first],
      ].map((asks) => inTurn(asks, situation));
      return orders.some((world) => world === null) ? null : (orders as World[]);
    },
    act: async (lane, situation) => {
      const answers = await Promise.all([first.send(lane, situation), other.send(lane, situation)]);
      for (const answer of answers) assert.ok(answer, 'there was no answer');
    },
  };
}

/** An instance dies while an operation is under way. */
function raceWithDeath([ask, number]: [Ask, number]): Step {
  const { service } = ask;
  return {
    title: `${ask.title} | instance ${number} is killed`,
    weight: 2,
    unsure: [service],
    outcomes: (situation) => {
      const before = situation.world[service];
      if (before === null || !canDie(situation, service, number)) return null;
      const undisturbed = ask.effect(before, situation);
      if (undisturbed === null) return null;
      const died = ended(before, number, false).map((each) => ask.effect(each, situation));
      const then = undisturbed.after === null ? [] : ended(undisturbed.after, number, false);
      const effects = [undisturbed, ...died, ...then.map((after) => ({ status: 0, after }))];
      return vagueWorldsOf(situation, effects, ask);
    },
    act: async (lane, situation) => {
      const answer = ask.send(lane, situation);
      const pid = pidOf(situation, service, number);
      kill(pid);
      assert.ok(await answer, 'there was no answer');
      await untilGone(pid);
    },
  };
}

function killing([service, number, part]: [Name, number, 'program' | 'wrapper']): Step {
  return death(`the ${part} of ${service}/${number} is killed`, service, number, false, (situation) => {
    const program = programOf(situation, service, number);
    const same = situation.seen.processes.filter(({ id }) => id === program?.id);
    const wrapper = same.find(({ role, pid }) => role !== 'program' && pid === program?.parent);
    const target = part === 'program' ? program : wrapper;
    assert.ok(target, `${service}/${number} has no ${part}`);
    kill(target.pid);
    return target.pid;
  });
}

function exiting([service, number, code]: [Name, number, number]): Step {
  const step = death(
    `${service}/${number} exits with code ${code}`,
    service,
    number,
    code === 0,
    (situation) => {
      const pid = pidOf(situation, service, number);
      kill(pid, code === 0 ? 'SIGUSR1' : 'SIGUSR2');
      return pid;
    },
  );
  return {
    ...step,
    outcomes: (situation) => (isRunning(situation, service, number) ? step.outcomes(situation) : null),
  };
}

/** A liveness probe fails; where nothing is to follow, that is all. */
function unhealthy([service, number]: [Name, number]): Step {
  const mark = (situation: Situation, lane: Lane) => {
    const pid = pidOf(situation, service, number);
    lane.mark(service, instanceOf(situation, service, number), 'live', pid);
    return pid;
  };
  const step = death(`${service}/${number} says that it is not alive`, service, number, false, mark);
  return {
    ...step,
    outcomes: (situation) => {
      const before = situation.world[service];
      if (before === null || !isRunning(situation, service, number)) return null;
      if (shownOf(situation, service, number)?.liveness !== 'healthy') return null;
      return variantOf(before).policy === 'never' ? [situation.world] : step.outcomes(situation);
    },
    act: async (lane, situation) => {
      const before = situation.world[service];
      if (before !== null && variantOf(before).policy !== 'never') await step.act(lane, situation);
      else mark(situation, lane);
    },
  };
}

function death(
  title: string,
  service: Name,
  number: number,
  endsWell: boolean,
  kill: (situation: Situation, lane: Lane) => number,
): Step {
  return {
    title,
    weight: 1,
    unsure: [],
    outcomes: (situation) => {
      const before = situation.world[service];
      if (before === null || !canDie(situation, service, number)) return null;
      return ended(before, number, endsWell).map((after) => ({ ...situation.world, [service]: after }));
    },
    // Until it is gone all may look as if it had been replaced.
    act: async (lane, situation) => untilGone(kill(situation, lane)),
  };
}

/** Every instance of a service dies at once. */
function killAll(service: Name): Step {
  return {
    title: `all of ${service} are killed`,
    weight: 1,
    unsure: [],
    outcomes: (situation) => {
      const before = situation.world[service];
      if (before === null || !before.places.some(({ state }) => state === 'live')) return null;
      const live = before.places.flatMap(({ state }, at) => (state === 'live' ? [at + 1] : []));
      if (!live.every((number) => canDie(situation, service, number))) return null;
      const all = before.places.reduce<Modelled[]>(
        (services, _, at) => services.flatMap((each) => ended(each, at + 1, false)),
        [before],
      );
      return all.map((after) => ({ ...situation.world, [service]: after }));
    },
    act: async (_, { seen }) => {
      const isMeant = ({ role, service: name }: SeenProcess) => role === 'program' && name === service;
      const pids = seen.processes.filter(isMeant).map(({ pid }) => pid);
      for (const pid of pids) kill(pid);
      await Promise.all(pids.map(untilGone));
    },
  };
}

function unready([service, number]: [Name, number]): Step {
  return {
    title: `${service}/${number} says that it is not ready`,
    weight: 1,
    unsure: [],
    outcomes: (situation) => {
      const before = situation.world[service];
      const can = before && hasReadiness(service, variantOf(before)) && isRunning(situation, service, number);
      return can ? [situation.world] : null;
    },
    act: async (lane, situation) =>
      lane.mark(service, instanceOf(situation, service, number), 'ready', pidOf(situation, service, number)),
  };
}

function ready(service: Name): Step {
  return {
    title: `${service} says that it is ready again`,
    weight: 1,
    unsure: [],
    outcomes: ({ world }) => (world[service] === null ? null : [world]),
    act: async (lane) => {
      for (let number = 1; number <= greatestNumber; number++)
        for (const mark of ['ready', 'live'] as const) lane.unmark(service, number, mark);
    },
  };
}

/** It ends at once whenever it is started, until it has failed. */
function crashLoop([service, number]: [Name, number]): Step {
  return {
    title: `${service}/${number} ends again and again`,
    weight: 1,
    unsure: [],
    outcomes: (situation) => {
      const before = situation.world[service];
      if (before === null || !canDie(situation, service, number)) return null;
      const { limit, policy } = variantOf(before);
      if (limit === 'unlimited' || policy === 'never' || !mayStart(situation, service)) return null;
      return [{ ...situation.world, [service]: loopedUntilFailed(before, number) }];
    },
    act: async (lane, situation) => {
      const instance = instanceOf(situation, service, number);
      lane.mark(service, instance, 'crash', '');
      kill(pidOf(situation, service, number));
      const path = `/api/v1/services/${service}/instances`;
      await lane.agent.until('GET', path, ({ instances }) => instances[number - 1].status === 'failed');
      lane.unmark(service, instance, 'crash');
    },
  };
}

function agentKilled(): Step {
  return untouched('the agent is killed', async (lane) => {
    await lane.kill();
    await lane.start();
  });
}

function agentEnded(): Step {
  return untouched('the agent ends', async (lane) => {
    await lane.end();
    await lane.start();
  });
}

function untouched(title: string, act: Step['act']): Step {
  return { title, weight: 1, unsure: [], outcomes: ({ world }) => [world], act };
}

/** Instances die while no agent is there. */
function diedMeanwhile(places: readonly [Name, number][]): Step {
  return {
    title: `without an agent ${places.map((place) => place.join('/')).join(', ')} are killed`,
    weight: 1 + places.length,
    unsure: [],
    outcomes: (situation) => {
      const worlds = places.reduce<readonly World[]>(
        (before, [service, number]) => {
          return before.flatMap(
            (world) =>
              death('', service, number, false, () => 0).outcomes({ ...situation, world }) ?? [world],
          );
        },
        [situation.world],
      );
      return worlds === undefined ? null : worlds;
    },
    act: async (lane, situation) => {
      await lane.kill();
      for (const [service, number] of places) {
        if (!canDie(situation, service, number)) continue;
        const pid = pidOf(situation, service, number);
        kill(pid);
        await untilGone(pid);
      }
      await lane.start();
    },
  };
}

/** The agent is killed at some moment of an operation, which has happened then or has not. */
function agentKilledIn([ask, delay]: [Ask, number]): Step {
  const { service } = ask;
  return {
    title: `${ask.title}, the agent is killed after ${delay} ms`,
    weight: 2,
    unsure: [service],
    outcomes: (situation) => {
      const before = situation.world[service];
      const effect = ask.effect(before, situation);
      if (effect === null) return null;
      const halfStopped = before && ask.title.startsWith('delete') ? stoppedOf(before) : before;
      const released = releasedIn(before, effect.after);
      const all = [before, halfStopped, released, effect.after].map((after) => ({ status: 0, after }));
      return vagueWorldsOf(situation, all, ask);
    },
    act: async (lane, situation) => {
      const answer = ask.send(lane, situation);
      await sleep(delay);
      await lane.kill();
      await answer;
      await lane.start();
    },
  };
}

function stoppedOf(service: Modelled): Modelled {
  const places = service.places.map((place) => ({ ...place, state: 'stopped' as const, release: null }));
  return { ...service, wanted: 'stopped', places };
}

/** What a first deploy leaves that came no further than to its release. */
function releasedIn(before: Modelled | null, after: Modelled | null): Modelled | null {
  const variant: Variant | undefined = after?.releases.get(after.last)?.variant;
  return before === null && variant !== undefined ? withRelease(null, variant, 'failed') : before;
}

function inTurn(asks: readonly Ask[], situation: Situation): World | null {
  let { world } = situation;
  for (const ask of asks) {
    const effect = ask.effect(world[ask.service], { ...situation, world });
    if (effect === null) return null;
    world = { ...world, [ask.service]: vague(effect.after) };
  }
  return world;
}

function worldsOf(
  { world }: Situation,
  effects: readonly (Effect | null)[],
  { service }: Ask,
): World[] | null {
  const known = effects.filter((effect) => effect !== null);
  return known.length < effects.length ? null : known.map(({ after }) => ({ ...world, [service]: after }));
}

function vagueWorldsOf(situation: Situation, effects: readonly (Effect | null)[], ask: Ask): World[] | null {
  return worldsOf(
    situation,
    effects.map((effect) => effect && { ...effect, after: vague(effect.after) }),
    ask,
  );
}

function areRelated(one: Name, other: Name): boolean {
  const above = (name: Name): Name[] => [
    name,
    ...(mayDependOn[name] === null ? [] : above(mayDependOn[name])),
  ];
  return above(one).includes(other) || above(other).includes(one);
}

/** The program of the instance whose number is the first, second, … of those that a service has. */
function programOf(situation: Situation, service: Name, number: number) {
  const shown = shownOf(situation, service, number)?.instance;
  return (
    situation.seen.processes.find(
      (each) => each.role === 'program' && each.service === service && each.number === shown,
    ) ?? null
  );
}

/** Only of what is there. */
function instanceOf(situation: Situation, service: Name, number: number): number {
  const shown = shownOf(situation, service, number);
  assert.ok(shown, `${service} has no such instance`);
  return shown.instance;
}

/** Whether it runs, and goes on when its program dies: of a halted tree nobody takes note of that until it is resumed. */
function canDie(situation: Situation, service: Name, number: number): boolean {
  return programOf(situation, service, number)?.isHalted === false;
}

/** Only of what runs. */
function pidOf(situation: Situation, service: Name, number: number): number {
  const program = programOf(situation, service, number);
  assert.ok(program, `${service}/${number} does not run`);
  return program.pid;
}

function shownOf({ seen }: Situation, service: Name, number: number) {
  return seen.services[service]?.instances[number - 1];
}

/** Up, not halted, and not said to be unwell. */
function isRunning(situation: Situation, service: Name, number: number): boolean {
  return shownOf(situation, service, number)?.status === 'running';
}

/** Whether what it depends on, if anything, lets it start. */
function mayStart({ seen }: Situation, service: Name): boolean {
  const on = mayDependOn[service];
  return on === null || (seen.services[on]?.instances.some(({ ready }) => ready) ?? false);
}
