import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { DeletedRule, RuleList, RuleTest } from '../contract/rule_requests.ts';
import { rulePath } from '../contract/rule_requests.ts';
import type { Rule, RuleAction, RuleMatch, ValueCondition } from '../contract/rules.ts';
import { DavitError } from '../lib/errors.ts';
import { listOption, ruleArgument, ruleArguments } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { editorOf, runEditor } from './editor.ts';
import { parseFields, readFields } from './fields_file.ts';
import { examples } from './help.ts';
import { addRuleFlags, type RuleFlags, ruleOf } from './rule_flags.ts';
import { type Column, facts, table } from './table.ts';
import { safeText } from './text.ts';

const fieldsOfRule = 'the fields of a rule: match, action, priority';

const all = '/api/v1/rules';

/** rules: which requests to the router go where. */
export function addRules(program: Command, act: Act): void {
  const rules = program
    .command('rules')
    .description('Show and change the rules by which the router directs requests.');
  rules
    .command('list', { isDefault: true })
    .description('List them in the order in which they are looked at, with the routes of services.')
    .addHelpText('after', examples(['davit rules list', 'davit rules list --json']))
    .action(act(listRules));
  onRule(rules, 'show', 'Show one in full.')
    .addHelpText('after', examples(['davit rules show canary', 'davit rules show web/1']))
    .action(act(showRule));
  addRuleFlags(onRule(rules, 'add', 'Make one, which holds from then on.'))
    .option('--file <file>', 'YAML or JSON with all of it instead; - reads standard input')
    .addHelpText(
      'after',
      examples([
        'davit rules add shop --host shop.example.org --to web',
        'davit rules add beta --header x-beta=1 --to web-next --priority 10',
        'davit rules add half --path-prefix /api --split api=90 --split api-next=10',
        'davit rules add old --host old.example.org --redirect https://example.org/',
      ]),
    )
    .action(act(addRule));
  onRule(rules, 'edit', 'Edit one with $VISUAL or $EDITOR, or replace it by a file.')
    .option('--file <file>', 'YAML or JSON with all of it; - reads standard input')
    .addHelpText('after', examples(['davit rules edit shop', 'davit rules edit shop --file shop.yaml']))
    .action(act(editRule));
  onRule(rules, 'remove', 'Delete one.')
    .addHelpText('after', examples(['davit rules remove shop']))
    .action(act(removeRule));
  for (const verb of ['enable', 'disable'] as const)
    onRule(
      rules,
      verb,
      verb === 'enable' ? 'Let one count again.' : 'Let one not count, without deleting it.',
    )
      .addHelpText('after', examples([`davit rules ${verb} shop`]))
      .action(act((run: Run, _options: object, id: string) => setEnabled(run, verb, id)));
  rules
    .command('order')
    .description('Give rules priorities by which they come in this order.')
    .argument('<rule...>', 'the rules, the first one first', ruleArguments)
    .addHelpText('after', examples(['davit rules order beta shop']))
    .action(act(orderRules));
  rules
    .command('test')
    .description('Say which rule and which instance a request would get, and why.')
    .argument('<url>', 'an address, or a path with --header host=…')
    .option('--method <method>', 'of the request (default: GET)')
    .addOption(listOption('--header <name=value>', 'of the request; repeatable'))
    .option('--client <address>', 'that of the client (default: 127.0.0.1)')
    .addHelpText(
      'after',
      examples([
        'davit rules test http://shop.example.org/cart',
        'davit rules test https://example.org/ --header x-beta=1 --client 10.1.2.3',
      ]),
    )
    .action(act(testRule));
}

function onRule(rules: Command, name: string, description: string): Command {
  return rules.command(name).description(description).argument('<rule>', 'its id', ruleArgument);
}

function pathOf(id: string, rest = ''): string {
  // Checked once more here, for what is not an id could lead to another route.
  if (!rulePath.safeParse({ rule_id: id }).success) throw new TypeError(`"${id}" is no id of a rule`);
  return `${all}/${encodeURIComponent(id)}${rest}`;
}

async function listRules({ agent, terminal, json }: Run): Promise<void> {
  const answer = await agent().get<RuleList>(all);
  if (json) return terminal.json(answer);
  if (answer.rules.length === 0)
    return terminal.print('There are no rules, and no service has routes: the router answers 404.');
  const columns: Column[] = [
    { title: 'RULE' },
    { title: 'PRIORITY', dropAt: 1 },
    { title: 'ENABLED', dropAt: 2, paint: (text) => (text === 'no' ? terminal.style('yellow', text) : text) },
    { title: 'TO' },
    { title: 'REQUESTS', isFlexible: true },
  ];
  const rows = answer.rules.map(({ id, priority, enabled, match, action }) => [
    id,
    String(priority),
    enabled ? 'yes' : 'no',
    actionText(action),
    matchText(match),
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

async function showRule({ agent, terminal, json }: Run, _options: object, id: string): Promise<void> {
  const rule = await agent().get<Rule>(pathOf(id));
  if (json) return terminal.json(rule);
  terminal.print(
    facts([
      ['rule', rule.id],
      ['enabled', rule.enabled ? 'yes' : 'no'],
      ['priority', String(rule.priority)],
      ['declared by', rule.declared_by ?? undefined],
      ['requests', matchText(rule.match)],
      ['to', actionText(rule.action)],
    ]),
  );
}

async function addRule(
  { agent, terminal, json }: Run,
  { file, ...flags }: RuleFlags & { readonly file?: string },
  id: string,
): Promise<void> {
  const body = file === undefined ? ruleOf(flags) : await readFields(file, terminal, fieldsOfRule);
  const rule = await agent().post<Rule>(all, { ...body, id });
  if (json) terminal.json(rule);
  else terminal.print(`Rule ${safeText(rule.id)} was made: ${safeText(actionText(rule.action))}`);
}

/** Throws what the agent answers; what was edited is kept then, and where is told. */
async function editRule(run: Run, { file }: { readonly file?: string }, id: string): Promise<void> {
  const { agent, terminal, environment } = run;
  if (file !== undefined) return replace(run, id, await readFields(file, terminal, fieldsOfRule));
  const { id: _id, declared_by: _by, ...found } = await agent().get<Rule>(pathOf(id));
  const folder = mkdtempSync(join(tmpdir(), 'davit-edit-'));
  const edited = join(folder, 'rule.yaml');
  const before = stringify(found);
  writeFileSync(edited, before, { mode: 0o600 });
  try {
    await runEditor(editorOf(environment), edited);
    const after = readFileSync(edited, 'utf8');
    if (after === before) terminal.note('Nothing was changed.');
    else await replace(run, id, parseFields(after, edited, fieldsOfRule));
  } catch (error) {
    terminal.note(`What you wrote is kept in ${edited}`);
    throw error;
  }
  rmSync(folder, { recursive: true });
}

async function replace({ agent, terminal, json }: Run, id: string, body: object): Promise<void> {
  const rule = await agent().put<Rule>(pathOf(id), body);
  if (json) terminal.json(rule);
  else terminal.print(`Rule ${safeText(rule.id)} was changed: ${safeText(actionText(rule.action))}`);
}

async function removeRule({ agent, terminal, json }: Run, _options: object, id: string): Promise<void> {
  const answer = await agent().delete<DeletedRule>(pathOf(id));
  if (json) terminal.json(answer);
  else terminal.print(`Rule ${safeText(answer.deleted.id)} was deleted`);
}

async function setEnabled(
  { agent, terminal, json }: Run,
  verb: 'enable' | 'disable',
  id: string,
): Promise<void> {
  const rule = await agent().post<Rule>(pathOf(id, `/${verb}`));
  if (json) terminal.json(rule);
  else terminal.print(`Rule ${safeText(rule.id)} is ${rule.enabled ? 'enabled' : 'disabled'}`);
}

async function orderRules(
  { agent, terminal, json }: Run,
  _options: object,
  ids: readonly string[],
): Promise<void> {
  const answer = await agent().put<RuleList>(`${all}/order`, { ids });
  if (json) return terminal.json(answer);
  for (const rule of answer.rules.filter(({ id }) => ids.includes(id)))
    terminal.print(`Rule ${safeText(rule.id)} has the priority ${rule.priority}`);
}

interface TestOptions {
  readonly method?: string;
  readonly header?: readonly string[];
  readonly client?: string;
}

async function testRule({ agent, terminal, json }: Run, options: TestOptions, url: string): Promise<void> {
  const { method, header = [], client } = options;
  const headers = Object.fromEntries(header.map(headerOf));
  const result = await agent().post<RuleTest>(`${all}/test`, {
    url,
    headers,
    ...(method !== undefined && { method }),
    ...(client !== undefined && { client }),
  });
  if (json) return terminal.json(result);
  terminal.print(safeText(result.message));
  for (const reason of result.reasons) terminal.print(`  ${safeText(reason)}`);
  for (const { rule, fits, reason } of result.tried)
    terminal.print(terminal.style('dim', safeText(`  ${rule}: ${fits ? 'fits' : reason}`)));
}

function headerOf(text: string): [string, string] {
  const at = text.search(/[=:]/);
  if (at < 1) throw new DavitError('usage', `--header ${text}: must be like x-beta=1`);
  return [text.slice(0, at), text.slice(at + 1).trim()];
}

/** What becomes of requests, in a few words. */
function actionText(action: RuleAction): string {
  switch (action.type) {
    case 'route':
      return action.service;
    case 'split':
      return action.services.map(({ service, weight }) => `${service}=${weight}`).join(' ');
    case 'redirect':
      return `redirect ${action.status} ${action.to}`;
    default:
      return `${action.type} ${action.status}`;
  }
}

/** Which requests are meant, in a few words. */
function matchText(match: RuleMatch): string {
  const { hosts, path, path_prefix, path_regex, methods, networks, tags } = match;
  const parts = [
    methods.join('|'),
    hosts.join('|'),
    path === null ? '' : `path ${path}`,
    path_prefix === null ? '' : `${path_prefix.replace(/\/$/, '')}/*`,
    path_regex === null ? '' : `path ~ ${path_regex}`,
    ...(['headers', 'query', 'cookies'] as const).flatMap((part) =>
      Object.entries(match[part]).map(
        ([name, condition]) => `${part.replace(/s$/, '')} ${name}${valueText(condition)}`,
      ),
    ),
    networks.length === 0 ? '' : `from ${networks.join('|')}`,
    tags.length === 0 ? '' : `tag ${tags.join('+')}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'all' : parts.join(', ');
}

function valueText(condition: ValueCondition): string {
  if (typeof condition === 'string') return `=${condition}`;
  if ('regex' in condition) return ` ~ ${condition.regex}`;
  return condition.present ? '' : ' absent';
}
