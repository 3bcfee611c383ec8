import assert from 'node:assert/strict';
import type { FailPointName } from '../../src/lib/fail_point.ts';
import type { Answer } from '../helpers/agent.ts';
import type { Outcome } from './invariants.ts';
import type { Sandbox, Way } from './sandbox.ts';

/** One operation on the service "web", with the named points that it comes to. */
export interface Operation {
  readonly name: string;
  /** The points of the short form. */
  readonly quick: readonly FailPointName[];
  readonly points: readonly FailPointName[];
  /** Brings the service to where the operation begins; `prepared` counts the starts and stops of that. */
  prepare(sandbox: Sandbox): Promise<void>;
  readonly prepared: { readonly starts: number; readonly stops: number };
  act(sandbox: Sandbox): Promise<Answer | null>;
  /** The answer of an operation that nothing happened to, and what the service is then. */
  readonly status: number;
  readonly done: Outcome;
  /** What it may be when the agent died, and when the next one did, too. */
  readonly interrupted: readonly Outcome[];
  readonly givenUp: readonly Outcome[];
  readonly isReplacement: boolean;
}

const starting = [
  'start.prepared',
  'start.spawned',
  'start.recorded',
  'start.let_go',
] as const satisfies FailPointName[];
const stopping = ['stop.signalled', 'stop.noted', 'stop.emptied'] as const satisfies FailPointName[];
const replacing = [
  'deploy.old_stopped',
  ...starting,
  'deploy.started',
  'deploy.settled',
] as const satisfies FailPointName[];

const nothing = { prepare: async () => {}, prepared: { starts: 0, stops: 0 } };
const running = { prepare: (sandbox: Sandbox) => runs(sandbox, 'steady'), prepared: { starts: 1, stops: 0 } };

export const operations: readonly Operation[] = [
  {
    ...nothing,
    name: 'first deploy',
    quick: ['start.spawned', 'start.recorded', 'start.let_go', 'deploy.settled'],
    points: ['deploy.release_written', ...replacing],
    act: (sandbox) => sandbox.deploy('web', 'steady'),
    status: 200,
    done: 1,
    interrupted: ['absent', 'stopped', 1],
    givenUp: ['stopped'],
    isReplacement: true,
  },
  {
    ...running,
    name: 'redeploy',
    quick: ['deploy.release_written', ...stopping, ...replacing],
    points: ['deploy.release_written', ...stopping, ...replacing],
    act: (sandbox) => sandbox.deploy('web', 'steady'),
    status: 200,
    done: 2,
    interrupted: [1, 2],
    givenUp: [1, 2],
    isReplacement: true,
  },
  {
    ...running,
    name: 'failing redeploy',
    quick: ['deploy.old_stopped', 'start.let_go'],
    points: ['deploy.release_written', ...stopping, 'deploy.old_stopped', ...starting],
    act: (sandbox) => sandbox.deploy('web', 'brief'),
    status: 422,
    done: 1,
    interrupted: [1],
    givenUp: [1],
    isReplacement: true,
  },
  {
    ...running,
    name: 'failing redeploy, on the way back',
    quick: ['start.let_go'],
    points: [...starting],
    // The release that fails passes these points once more.
    prepared: { starts: 2, stops: 0 },
    act: (sandbox) => sandbox.deploy('web', 'brief'),
    status: 422,
    done: 1,
    interrupted: [1],
    givenUp: [1],
    isReplacement: false,
  },
  {
    ...running,
    name: 'stop',
    quick: ['stop.signalled', 'stop.emptied'],
    points: [...stopping],
    act: (sandbox) => sandbox.ask('POST', '/service/web/stop'),
    status: 200,
    done: 'stopped',
    interrupted: ['stopped'],
    givenUp: ['stopped'],
    isReplacement: false,
  },
  {
    name: 'stop of what takes no SIGTERM',
    quick: ['stop.signalled', 'stop.killed'],
    prepare: (sandbox) => runs(sandbox, 'stubborn'),
    prepared: { starts: 1, stops: 0 },
    points: ['stop.signalled', 'stop.killed'],
    act: (sandbox) => sandbox.ask('POST', '/service/web/stop'),
    status: 200,
    done: 'stopped',
    interrupted: ['stopped'],
    givenUp: ['stopped'],
    isReplacement: false,
  },
  {
    ...running,
    name: 'restart',
    quick: [],
    points: [...stopping, ...replacing],
    act: (sandbox) => sandbox.ask('POST', '/service/web/restart'),
    status: 200,
    done: 1,
    interrupted: [1],
    // Nothing else is there that could run instead.
    givenUp: [1, 'stopped'],
    isReplacement: true,
  },
  {
    name: 'start',
    quick: [],
    prepare: async (sandbox) => {
      await runs(sandbox, 'steady');
      await succeeds(sandbox.ask('POST', '/service/web/stop'));
    },
    prepared: { starts: 1, stops: 1 },
    points: [...replacing],
    act: (sandbox) => sandbox.ask('POST', '/api/v1/services/web/start'),
    status: 200,
    done: 1,
    interrupted: [1],
    givenUp: ['stopped'],
    isReplacement: true,
  },
  {
    name: 'rollback',
    quick: [],
    prepare: async (sandbox) => {
      await runs(sandbox, 'steady');
      await runs(sandbox, 'steady');
    },
    prepared: { starts: 2, stops: 1 },
    points: [...stopping, ...replacing],
    act: (sandbox) => sandbox.ask('POST', '/api/v1/services/web/rollback'),
    status: 200,
    done: 1,
    interrupted: [1, 2],
    givenUp: [1, 2],
    isReplacement: true,
  },
  {
    ...running,
    name: 'delete',
    quick: ['stop.emptied'],
    points: [...stopping],
    act: (sandbox) => sandbox.ask('DELETE', '/api/v1/services/web'),
    status: 200,
    done: 'absent',
    interrupted: ['absent', 'stopped'],
    givenUp: ['absent', 'stopped'],
    isReplacement: false,
  },
];

/** Deploys "web" and waits for the success. */
export async function runs(sandbox: Sandbox, way: Way, change: object = {}): Promise<void> {
  await succeeds(sandbox.deploy('web', way, change));
}

/** Waits for an answer, which must be one of success, and resolves with its body. */
export async function succeeds(asked: Promise<Answer | null>): Promise<Answer['body']> {
  const answer = await asked;
  assert.equal(answer?.status, 200, answer ? JSON.stringify(answer.body) : 'there was no answer');
  return answer?.body;
}
