import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../../helpers/agent.ts';
import { randomNumbers } from '../../helpers/random_request.ts';
import type { FaultCase } from '../fault_case.ts';
import { livingInstances, writtenRuns } from '../host.ts';
import { assertInOrder, type Outcome } from '../invariants.ts';
import { forgetWritten, Sandbox } from '../sandbox.ts';

const services = ['web', 'worker', 'queue'] as const;
type Name = (typeof services)[number];

/** What is asked of a service. */
interface Action {
  readonly name: string;
  readonly weight: number;
  ask(sandbox: Sandbox, service: Name): Promise<Answer | null>;
  /** Whether it makes a release, in which state ever. */
  readonly makesRelease: boolean;
}

const actions: readonly Action[] = [
  {
    name: 'deploy',
    weight: 5,
    ask: (sandbox, service) => sandbox.deploy(service, 'steady'),
    makesRelease: true,
  },
  {
    name: 'deploy of what does not stay up',
    weight: 3,
    ask: (sandbox, service) => sandbox.deploy(service, 'brief'),
    makesRelease: true,
  },
  {
    name: 'restart',
    weight: 3,
    ask: (sandbox, service) => sandbox.ask('POST', `/service/${service}/restart`),
    makesRelease: false,
  },
  {
    name: 'stop',
    weight: 3,
    ask: (sandbox, service) => sandbox.ask('POST', `/service/${service}/stop`),
    makesRelease: false,
  },
  {
    name: 'delete',
    weight: 1,
    ask: (sandbox, service) => sandbox.ask('DELETE', `/api/v1/services/${service}`),
    makesRelease: false,
  },
];

/** What a service is as far as the model knows. */
interface Modelled {
  state: Outcome;
  /** Whether it is to run, also when what ran of it has died: a deploy that fails starts it again. */
  wanted: boolean;
  /** The release that a start takes, and whether that stays up. */
  current: number;
  last: number;
  staysUp: boolean;
}

/** Operations, deaths of the agent, of programs and of wrappers in random order, against a model of what must be. */
export function randomCases(seed: number, rounds: number): FaultCase[] {
  return [
    {
      fault: 'random operations and deaths',
      step: `${rounds} steps from seed ${seed}`,
      isQuick: true,
      run: () => new Sequence(seed).run(rounds),
    },
  ];
}

class Sequence {
  readonly #random: () => number;
  readonly #model = new Map<Name, Modelled>();
  readonly #history: string[] = [];

  constructor(seed: number) {
    this.#random = randomNumbers(seed);
    for (const service of services) this.#model.set(service, absent());
  }

  async run(rounds: number): Promise<string> {
    await using sandbox = new Sandbox();
    await sandbox.start();
    try {
      for (let round = 1; round <= rounds; round++) await this.#step(sandbox);
      assert.equal(await sandbox.agent.end(), 0, 'the agent does not end well');
    } catch (error) {
      throw new Error(
        `${error instanceof Error ? error.message : error}\nafter ${this.#history.slice(-8).join('; ')}`,
      );
    }
    const count = (what: string) => this.#history.filter((entry) => entry.includes(what)).length;
    return `${count('agent')} deaths of the agent, ${count('program') + count('wrapper')} of programs`;
  }

  async #step(sandbox: Sandbox): Promise<void> {
    const service = services[Math.floor(this.#random() * services.length)] ?? 'web';
    const modelled = this.#model.get(service) ?? absent();
    const kind = this.#random();
    if (kind < 0.5) await this.#operate(sandbox, service, modelled);
    else if (kind < 0.8) await this.#interrupt(sandbox, service, modelled);
    else await this.#killPart(sandbox, service, modelled, kind < 0.9 ? 'program' : 'wrapper');
    const wanted = [...this.#model].map(([name, { state }]) => [name, [state]]);
    await assertInOrder(sandbox, Object.fromEntries(wanted));
  }

  /** An operation that nothing disturbs does what its answer says. */
  async #operate(sandbox: Sandbox, service: Name, before: Modelled): Promise<void> {
    const action = this.#choose();
    this.#history.push(`${action.name} ${service}`);
    const answer = await action.ask(sandbox, service);
    const expected = statusOf(action, before);
    assert.equal(answer?.status, expected, `${action.name} of "${service}": ${JSON.stringify(answer?.body)}`);
    this.#model.set(service, after(action, before));
    this.#forgetDeleted(sandbox, service);
  }

  /** The agent is killed at some moment of an operation, which has happened then or has not. */
  async #interrupt(sandbox: Sandbox, service: Name, before: Modelled): Promise<void> {
    const action = this.#choose();
    const delay = Math.floor(this.#random() * 400);
    this.#history.push(`${action.name} ${service}, agent killed after ${delay} ms`);
    const asked = action.ask(sandbox, service);
    await sleep(delay);
    await sandbox.kill();
    const answer = await asked;
    await sandbox.start();
    const done = after(action, before);
    const isDone = answer !== null && answer.status === statusOf(action, before);
    const allowed = new Set<Outcome>([done.state]);
    if (!isDone) for (const state of interrupted(action, before)) allowed.add(state);
    const others = [...this.#model].filter(([name]) => name !== service);
    const wanted = others.map(([name, { state }]) => [name, [state]] as const);
    const found = await assertInOrder(sandbox, { ...Object.fromEntries(wanted), [service]: [...allowed] });
    await this.#learn(sandbox, service, found[service] ?? 'absent');
  }

  /** One process of a service dies, maybe while no agent is there; the service is stopped then. */
  async #killPart(
    sandbox: Sandbox,
    service: Name,
    before: Modelled,
    part: 'program' | 'wrapper',
  ): Promise<void> {
    if (typeof before.state !== 'number') return;
    const instance = livingInstances(sandbox.folder).find((living) => living.service === service);
    const program = writtenRuns(sandbox.written).find((run) => run.instance === instance?.id)?.pid;
    const pid = part === 'program' ? program : instance?.wrappers[0];
    assert.ok(pid, `"${service}" has no ${part}`);
    const isAlone = this.#random() < 0.4;
    this.#history.push(`${part} of ${service} killed${isAlone ? ' while no agent was there' : ''}`);
    if (isAlone) await sandbox.kill();
    process.kill(pid, 'SIGKILL');
    if (isAlone) await sandbox.start();
    this.#model.set(service, { ...before, state: 'stopped' });
  }

  /** Takes over what the agent has made of an interrupted operation. */
  async #learn(sandbox: Sandbox, service: Name, state: Outcome): Promise<void> {
    if (state === 'absent') this.#model.set(service, absent());
    else {
      const { body } = (await sandbox.ask('GET', `/api/v1/services/${service}/releases`)) ?? {};
      const releases: { release: number; current: boolean; spec: { command: string[] } }[] = body.releases;
      const current = releases.find((release) => release.current);
      assert.ok(current, `"${service}" has no current release`);
      const staysUp = !current.spec.command.includes('brief');
      const last = Math.max(...releases.map(({ release }) => release));
      const status = await sandbox.ask('GET', `/service/${service}/status`);
      const wanted = status?.body.wanted === 'running';
      this.#model.set(service, { state, wanted, current: current.release, last, staysUp });
    }
    this.#forgetDeleted(sandbox, service);
  }

  #forgetDeleted(sandbox: Sandbox, service: Name): void {
    if (this.#model.get(service)?.state === 'absent') forgetWritten(sandbox, service);
  }

  #choose(): Action {
    let left = this.#random() * actions.reduce((sum, { weight }) => sum + weight, 0);
    for (const action of actions) {
      left -= action.weight;
      if (left < 0) return action;
    }
    throw new Error('no action was chosen');
  }
}

function absent(): Modelled {
  return { state: 'absent', wanted: false, current: 0, last: 0, staysUp: false };
}

function statusOf({ name, makesRelease }: Action, { state, staysUp }: Modelled): number {
  if (name === 'deploy of what does not stay up') return 422;
  if (state === 'absent' && !makesRelease) return 404;
  return name === 'restart' && !staysUp ? 422 : 200;
}

function after(action: Action, before: Modelled): Modelled {
  if (action.name === 'delete') return absent();
  const { state, wanted, current, last, staysUp } = before;
  if (state === 'absent' && !action.makesRelease) return before;
  if (action.name === 'deploy') {
    const release = last + 1;
    return { state: release, wanted: true, current: release, last: release, staysUp: true };
  }
  if (action.name === 'restart')
    return { ...before, wanted: wanted || staysUp, state: staysUp ? current : 'stopped' };
  if (action.name === 'stop') return { ...before, wanted: false, state: 'stopped' };
  // A service whose first release failed has that, and nothing else, to start.
  if (state === 'absent') return { state: 'stopped', wanted: false, current: 1, last: 1, staysUp: false };
  return { ...before, state: wanted && staysUp ? current : state, last: last + 1 };
}

/** What it may be when the operation got no answer. */
function interrupted({ name, makesRelease }: Action, { state }: Modelled): Outcome[] {
  if (state === 'absent') return makesRelease ? ['absent', 'stopped'] : ['absent'];
  return name === 'delete' ? [state, 'stopped'] : [state];
}
