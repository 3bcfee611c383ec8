import type { RoutingTable, TableRule } from '../contract/routing_table.ts';
import type { RuleTest } from '../contract/rule_requests.ts';
import type { RuleAnswer } from './actions.ts';
import { type Circumstances, ExplainedService, type InstanceLoad } from './explain_service.ts';
import { RequestFacts } from './facts.ts';
import type { RoutedRequest } from './request.ts';
import { type CompiledRule, compileRule, misfit } from './rule_set.ts';
import { byWeight, placeOf } from './split.ts';

export type { InstanceLoad } from './explain_service.ts';

type Outcome = Omit<RuleTest, 'tried'>;

/**
 * What a router would do with a request, and why: which rules do not fit because of what, which one decides, and what comes of it.
 * What a router alone knows, such as whose turn it is, is guessed, and the reasons say so. Throws an Error when a rule
 * cannot be understood.
 * @param loads by the id of the instance
 */
export function explain(
  table: RoutingTable,
  request: RoutedRequest,
  loads: ReadonlyMap<string, InstanceLoad>,
  { now = Date.now(), random = Math.random }: Partial<Omit<Circumstances, 'loads'>> = {},
): RuleTest {
  const facts = new RequestFacts(request);
  const tried: RuleTest['tried'] = [];
  if (facts.path === null) return { ...refusedPath(), tried };
  for (const source of table.rules) {
    const rule = compileRule(source);
    const different = misfit(rule, facts);
    const reason = different === null ? 'all that it asks for holds' : different.differs(facts);
    tried.push({ rule: rule.id, fits: different === null, reason });
    if (different !== null) continue;
    return { ...outcomeOf(source, rule, facts, { table, circumstances: { loads, now, random } }), tried };
  }
  return { ...nowhere(), tried };
}

interface World {
  readonly table: RoutingTable;
  readonly circumstances: Circumstances;
}

function outcomeOf(source: TableRule, rule: CompiledRule, facts: RequestFacts, world: World): Outcome {
  const { action } = rule;
  if (action.kind === 'answer') return answered(source, action.answer(facts));
  const parts = action.parts.map(({ service, weight }) => ({ id: service, weight, service: find(service) }));
  const { part, reasons } = choosePart(parts, facts, world.circumstances.random);
  const path = action.path(facts) ?? facts.request.path;
  if (part === null || part.service === null) {
    const missing = part === null ? 'no service of the split has a weight' : `there is no service ${part.id}`;
    return unserved(rule.id, part?.id ?? null, missing, reasons);
  }
  const choice = part.service.choose(facts);
  const all = [...reasons, ...choice.reasons];
  if (choice.chosen === null) return unserved(rule.id, part.id, `no instance of ${part.id} takes it`, all);
  const { number, release } = choice.chosen;
  return {
    rule: rule.id,
    kind: 'service',
    service: part.id,
    instance: number,
    release,
    path,
    status: null,
    message: `The rule ${rule.id} sends it to instance ${number} of ${part.id}, release ${release}.`,
    reasons: all,
  };

  function find(id: string): ExplainedService | null {
    const service = world.table.services.find((each) => each.id === id);
    return service === undefined ? null : new ExplainedService(service, world.table, world.circumstances);
  }
}

interface Part {
  readonly id: string;
  readonly weight: number;
  readonly service: ExplainedService | null;
}

function choosePart(
  parts: readonly Part[],
  facts: RequestFacts,
  random: () => number,
): { part: Part | null; reasons: string[] } {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return { part: only, reasons: [] };
  const kept = parts.find(({ weight, service }) => weight > 0 && service?.keeps(facts));
  if (kept !== undefined)
    return { part: kept, reasons: [`the client is kept with an instance of ${kept.id}`] };
  const keys = parts.map(({ service }) => service?.clientKey(facts) ?? null);
  const key = keys.find((each) => each !== null) ?? null;
  const part = byWeight(parts, key === null ? random() : placeOf(key));
  const weights = parts.map(({ id, weight }) => `${id} ${weight}`).join(', ');
  const how = key === null ? 'by lot' : 'by the hash of the client';
  return { part, reasons: part === null ? [] : [`the weights are ${weights}: ${how} it is ${part.id}`] };
}

const noService = { service: null, instance: null, release: null, path: null };

function answered({ id, action }: TableRule, { status, headers }: RuleAnswer): Outcome {
  const location = headers['location'];
  const messages: Partial<Record<TableRule['action']['type'], string>> = {
    redirect:
      location === undefined ? `The rule ${id} has no host to redirect it to.` : `It is sent to ${location}.`,
    deny: `The rule ${id} denies it with ${status}.`,
  };
  const kind = action.type === 'redirect' || action.type === 'deny' ? action.type : 'answer';
  const message = messages[action.type] ?? `The rule ${id} answers it with ${status}.`;
  return { ...noService, rule: id, kind, status, message, reasons: [] };
}

/** What goes to a service without an instance for it. */
function unserved(rule: string, service: string | null, why: string, reasons: readonly string[]): Outcome {
  const message = `The rule ${rule} decides, and it is answered 503: ${why}.`;
  return { ...noService, rule, kind: 'service', service, status: 503, message, reasons: [...reasons] };
}

function refusedPath(): Outcome {
  const message =
    'Its path is ambiguous, as servers disagree on what it means, so that it is answered 400 before any rule is looked at.';
  return { ...noService, rule: null, kind: 'answer', status: 400, message, reasons: [] };
}

function nowhere(): Outcome {
  return {
    ...noService,
    rule: null,
    kind: 'nowhere',
    status: 404,
    message: 'No rule fits, so that it is answered 404.',
    reasons: [],
  };
}
