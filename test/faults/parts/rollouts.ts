import assert from 'node:assert/strict';
import type { Deployment } from '../../../src/contract/deployments.ts';
import type { FailPointName } from '../../../src/lib/fail_point.ts';
import type { Answer } from '../../helpers/agent.ts';
import type { FaultCase } from '../fault_case.ts';
import { assertInOrder } from '../invariants.ts';
import { inTime, Sandbox } from '../sandbox.ts';
import { runs } from '../steps.ts';
import { diedAt } from './kills.ts';

/** A replacement of the two instances of "web", release 1, by others. */
interface Rollout {
  readonly name: string;
  /** The rollout of both releases. */
  readonly rollout: object;
  act(sandbox: Sandbox): Promise<Answer | null>;
  /** What it comes to, by the time that it comes to it, counted from the start of the agent. */
  readonly points: readonly (readonly [FailPointName, number])[];
  /** Those at which the next agent dies, too. */
  readonly twice: readonly FailPointName[];
  /** Those of the short form. */
  readonly quick: readonly FailPointName[];
  /** What runs then, and how the deployment has ended. */
  readonly ends: readonly (readonly [number, Deployment['status']])[];
  readonly endsGivenUp: readonly (readonly [number, Deployment['status']])[];
}

const byOne = { strategy: 'rolling', max_surge: 1 };
const inPlace = { strategy: 'rolling', max_surge: 0 };
const failed = [[1, 'failed']] as const;
/** Nothing is known of a deployment that had just been asked for. */
const replaced = [[2, 'succeeded'], ...failed] as const;

const rollouts: readonly Rollout[] = [
  {
    name: 'rolling deploy',
    rollout: byOne,
    act: (sandbox) => sandbox.deploy('web', 'steady'),
    points: [
      ['deploy.release_written', 2],
      ['deploy.places_noted', 1],
      ['deploy.places_noted', 2],
      ['start.prepared', 3],
      ['start.recorded', 3],
      ['start.let_go', 4],
      ['deploy.retiring', 1],
      ['deploy.retiring', 2],
      ['stop.signalled', 1],
      ['stop.noted', 1],
      ['deploy.started', 2],
      ['deploy.settled', 2],
      ['deploy.committed', 2],
    ],
    twice: ['deploy.places_noted', 'start.recorded', 'deploy.started', 'deploy.settled'],
    quick: ['deploy.places_noted', 'deploy.retiring', 'deploy.committed'],
    ends: replaced,
    endsGivenUp: failed,
  },
  {
    name: 'rolling deploy in place',
    rollout: inPlace,
    act: (sandbox) => sandbox.deploy('web', 'steady'),
    points: [
      ['deploy.places_noted', 1],
      ['deploy.places_noted', 2],
      ['stop.signalled', 1],
      ['stop.noted', 2],
      ['start.recorded', 3],
      ['start.let_go', 4],
      ['deploy.started', 2],
    ],
    twice: ['start.recorded', 'deploy.started'],
    quick: ['deploy.places_noted'],
    ends: replaced,
    endsGivenUp: failed,
  },
  {
    name: 'rolling deploy that fails at once',
    rollout: byOne,
    act: (sandbox) => sandbox.deploy('web', 'brief'),
    points: [
      ['deploy.places_noted', 1],
      ['start.recorded', 3],
      ['start.let_go', 3],
      ['deploy.failed', 1],
      ['deploy.brought_back', 1],
      ['deploy.put_back', 1],
    ],
    twice: ['deploy.failed', 'deploy.brought_back', 'deploy.put_back'],
    quick: ['deploy.failed'],
    ends: failed,
    endsGivenUp: failed,
  },
  ...[byOne, inPlace].map(
    (rollout): Rollout => ({
      name: `rolling deploy of which the second instance fails, ${rollout.max_surge === 0 ? 'in place' : 'beside'}`,
      rollout,
      act: (sandbox) => sandbox.deploy('web', 'first'),
      points: [
        ['deploy.places_noted', 2],
        ['start.let_go', 4],
        ['deploy.failed', 1],
        ['start.prepared', 5],
        ['start.recorded', 5],
        ['start.let_go', 5],
        ['deploy.brought_back', 1],
        ['deploy.put_back', 1],
      ],
      twice: ['deploy.failed', 'start.recorded', 'deploy.brought_back', 'deploy.put_back'],
      quick: ['deploy.brought_back'],
      ends: failed,
      endsGivenUp: failed,
    }),
  ),
  {
    name: 'canary deploy',
    rollout: { strategy: 'canary', canary: { weight: 30 } },
    act: (sandbox) => sandbox.deploy('web', 'steady'),
    points: [
      ['deploy.places_noted', 1],
      ['deploy.shared', 1],
      ['deploy.shared', 2],
      ['deploy.retiring', 1],
    ],
    twice: ['deploy.shared'],
    quick: ['deploy.shared'],
    ends: replaced,
    endsGivenUp: failed,
  },
  {
    name: 'rolling deploy that is cancelled',
    rollout: byOne,
    act: deployAndCancel,
    points: [
      ['deploy.failed', 1],
      ['deploy.brought_back', 1],
    ],
    twice: ['deploy.failed'],
    quick: ['deploy.failed'],
    ends: [[1, 'cancelled']],
    endsGivenUp: [[1, 'cancelled']],
  },
];

/** The agent killed at every named point of replacements beside what runs. */
export function rolloutCases(): FaultCase[] {
  return rollouts.flatMap((each) => [
    ...each.points.map(([point, at], index) => ({
      ...killCase(each, point, at, false),
      isQuick: each.quick.includes(point) && isFirst(each, index),
    })),
    ...each.points
      .filter(([point], index) => each.twice.includes(point) && isFirst(each, index))
      .map(([point, at]) => killCase(each, point, at, true)),
  ]);
}

function isFirst({ points }: Rollout, index: number): boolean {
  return points.findIndex(([point]) => point === points[index]?.[0]) === index;
}

function killCase(each: Rollout, point: FailPointName, at: number, isTwice: boolean): FaultCase {
  const { name, rollout, ends, endsGivenUp } = each;
  return {
    fault: isTwice ? 'SIGKILL, and the next agent too' : 'SIGKILL',
    step: `${name} at ${point}, time ${at}`,
    isQuick: false,
    run: async () => {
      await using sandbox = new Sandbox();
      await sandbox.start({}, `${point}=kill@${at}`);
      await runs(sandbox, 'steady', { instances: 2, rollout: { ...rollout, bake: '0s' } });
      const answer = each.act(sandbox);
      await diedAt(sandbox, point);
      if (isTwice) {
        // It may die before it listens.
        await sandbox.start({}, `${point}=kill`).catch(() => null);
        await diedAt(sandbox, point);
      }
      await sandbox.start();
      assert.equal(await answer, null, 'the caller got an answer although the agent died');
      const found = await settled(sandbox);
      const allowed = (isTwice ? endsGivenUp : ends).map((end) => end.join(', '));
      assert.ok(allowed.includes(found), `it came to ${found}, not to ${allowed.join(' or ')}`);
      return found;
    },
  };
}

/** What runs once all is in order, and how the newest deployment has ended. */
async function settled(sandbox: Sandbox): Promise<string> {
  const { web } = await assertInOrder(sandbox, { web: [1, 2] }, { instances: 2, mayMixRuns: true });
  const history = await sandbox.ask('GET', '/api/v1/services/web/deployments');
  const deployments: Deployment[] = history?.body.deployments;
  const open = deployments.filter(({ ended_at }) => ended_at === null);
  assert.deepEqual(open, [], 'a deployment never ends');
  assert.equal(await sandbox.agent.end(), 0, 'the agent does not end well');
  return `${web}, ${deployments[0]?.status}`;
}

/** Of a release that is never ready. */
async function deployAndCancel(sandbox: Sandbox): Promise<Answer | null> {
  const answer = sandbox.deploy('web', 'steady', { ready_log: 'never' });
  const path = '/api/v1/services/web/deployments';
  const isUnderWay = ({ deployments }: { deployments: Deployment[] }) =>
    deployments[0]?.release === 2 && deployments[0].status === 'running';
  const { deployments } = await inTime('it is under way', sandbox.agent.until('GET', path, isUnderWay));
  await sandbox.ask('POST', `${path}/${deployments[0].id}/cancel`, {});
  return answer;
}
