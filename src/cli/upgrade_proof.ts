import { setTimeout as delay } from 'node:timers/promises';
import type { AgentInformation } from '../contract/agent.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { AgentClient } from './client.ts';
import type { Unit } from './unit.ts';

/** What an agent says of itself and of what runs. */
export interface AgentState {
  /** As `davit --version` has it. */
  readonly version: string;
  readonly pid: number;
  /** The processes of every service that runs. */
  readonly services: ReadonlyMap<string, ReadonlySet<number>>;
}

/** What an agent must be to have taken over well. */
export interface Expected {
  readonly version: string;
  /** The pid of the agent before it. */
  readonly agentBefore: number;
  readonly services: AgentState['services'];
  /** Services were ended with the agent before, so that they run again instead of on. */
  readonly startsAnew: boolean;
}

/** Milliseconds between two looks. */
const interval = 200;
/** Milliseconds that an agent which answers may take to say what is expected: it says so when it is ready. */
const patience = 5_000;
/** Milliseconds that a new agent must stay up. */
const settling = 2_000;

/** What the agent says now. Throws when it does not answer. */
export async function readAgent(client: AgentClient): Promise<AgentState> {
  await client.get('/health');
  const { version, commit, pid } = await client.get<AgentInformation>('/api/v1/agent');
  const statuses = await client.get<Record<string, { status: string }>>('/services');
  const running = Object.entries(statuses).filter(
    ([, { status }]) => status === 'running' || status === 'paused',
  );
  const services = new Map(running.map(([id, status]) => [id, new Set(pidsIn(status))]));
  return { version: `davit ${version} (${commit})`, pid, services };
}

/** The services that run the same in both; what just starts or ends by itself is in neither. */
export function steadyServices(one: AgentState, other: AgentState): AgentState['services'] {
  const isSame = (id: string, pids: ReadonlySet<number>) =>
    list(pids) === list(other.services.get(id) ?? new Set());
  return new Map([...one.services].filter(([id, pids]) => isSame(id, pids)));
}

/**
 * Proves that the agent that the unit runs is the expected one, has every service and stays. Throws
 * `upgrade_failed` with what is not so at the end of the time.
 * @param client makes a client of the agent as it is described at that moment
 */
export async function prove(
  unit: Unit,
  client: () => AgentClient,
  expected: Expected,
  timeout: number,
  signal?: AbortSignal,
): Promise<AgentState> {
  const began = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    const { state, fault } = await look(unit, client, expected);
    if (fault === null && state !== null) return await requireStays(unit, state);
    const limit = state === null || expected.startsAnew ? timeout : Math.min(timeout, patience);
    if (performance.now() - began > limit)
      throw new DavitError('upgrade_failed', fault ?? 'it does not answer');
    await delay(interval);
  }
}

interface Look {
  readonly state: AgentState | null;
  readonly fault: string | null;
}

async function look(unit: Unit, client: () => AgentClient, expected: Expected): Promise<Look> {
  let state: AgentState | null = null;
  try {
    const facts = await unit.read();
    if (facts.state !== 'active') return { state, fault: `${unit.name} is ${facts.state}` };
    using connection = disposable(client());
    state = await readAgent(connection.client);
    return { state, fault: faultOf(state, expected) };
  } catch (error) {
    return { state, fault: errorMessage(error) };
  }
}

/** What is not as expected, or null. */
export function faultOf({ version, pid, services }: AgentState, expected: Expected): string | null {
  if (version !== expected.version) return `${version} answers, not ${expected.version}`;
  if (pid === expected.agentBefore) return `the agent from before (pid ${pid}) still answers`;
  for (const [id, before] of expected.services) {
    const now = services.get(id);
    if (now === undefined) return `service ${id}, which ran as ${list(before)}, does not run any more`;
    if (!expected.startsAnew && ![...before].every((each) => now.has(each)))
      return `service ${id}, which ran as ${list(before)}, runs as ${list(now)}`;
  }
  return null;
}

/** An agent that is ready may still end soon after. */
async function requireStays(unit: Unit, state: AgentState): Promise<AgentState> {
  const before = await unit.read();
  await delay(settling);
  const after = await unit.read();
  if (after.state === 'active' && after.pid === before.pid) return state;
  throw new DavitError('upgrade_failed', 'it became ready, and ended soon after');
}

/** Every pid that a status names, also those of instances. */
function pidsIn(value: unknown, name = ''): number[] {
  if (typeof value === 'number') return name === 'pid' ? [value] : [];
  if (Array.isArray(value)) return value.flatMap((each) => pidsIn(each));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => pidsIn(each, key));
}

function list(pids: ReadonlySet<number>): string {
  return `pid ${[...pids].join(', ')}`;
}

function disposable(client: AgentClient): { readonly client: AgentClient } & Disposable {
  return { client, [Symbol.dispose]: () => client.close() };
}
