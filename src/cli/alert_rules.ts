import type { Command } from 'commander';
import {
  type AlertRuleList,
  alertName,
  type DeletedAlertRule,
  type ShownAlertRule,
} from '../contract/alerts.ts';
import { DavitError } from '../lib/errors.ts';
import { alertNameArgument } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { readFields } from './fields_file.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import { safeText } from './text.ts';

const fieldsOfRule = 'the fields of a rule: name, event or series, severity';
const path = '/api/v1/alert_rules';

export function addAlertRules(alert: Command, act: Act): void {
  alert
    .command('rules')
    .description('List the rules: ready-made ones, those of the configuration and those of the API.')
    .addHelpText('after', examples(['davit alert rules', 'davit alert rules --json']))
    .action(act(listRules));
  alert
    .command('add')
    .description('Make a rule, which holds from then on.')
    .argument('<file>', 'YAML or JSON with all of it; - reads standard input')
    .option('--replace', 'put it in the place of the one that there is')
    .addHelpText(
      'after',
      examples([
        'davit alert add slow.yaml',
        'echo "{name: hot, series: host.cpu, above: 0.9, for: 5m}" | davit alert add -',
      ]),
    )
    .action(act(addRule));
  alert
    .command('remove')
    .description('Delete a rule of the API. What it found is over then.')
    .argument('<rule>', 'its name', alertNameArgument)
    .addHelpText('after', examples(['davit alert remove hot']))
    .action(act(removeRule));
}

async function listRules({ agent, terminal, json }: Run): Promise<void> {
  const answer = await agent().get<AlertRuleList>(path);
  if (json) return terminal.json(answer);
  if (answer.rules.length === 0) return terminal.print('There are no rules.');
  const columns: Column[] = [
    { title: 'RULE' },
    { title: 'SEVERITY' },
    { title: 'ORIGIN', dropAt: 1 },
    { title: 'ENABLED', dropAt: 2, paint: (text) => (text === 'no' ? terminal.style('yellow', text) : text) },
    { title: 'SERVICES', dropAt: 3 },
    { title: 'FIRES WHEN', isFlexible: true },
  ];
  const rows = answer.rules.map((rule) => [
    rule.name,
    rule.severity,
    rule.origin.replace('_', '-'),
    rule.enabled ? 'yes' : 'no',
    rule.services.join(','),
    conditionText(rule),
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

async function addRule(
  { agent, terminal, json }: Run,
  { replace = false }: { readonly replace?: boolean },
  file: string,
): Promise<void> {
  const body = await readFields(file, terminal, fieldsOfRule);
  const rule = replace
    ? await replaceRule(agent(), body, file)
    : await agent().post<ShownAlertRule>(path, body);
  if (json) terminal.json(rule);
  else
    terminal.print(
      safeText(`Alert rule ${rule.name} was ${replace ? 'changed' : 'made'}: ${conditionText(rule)}`),
    );
}

function replaceRule(
  agent: ReturnType<Run['agent']>,
  { name, ...rest }: { readonly name?: unknown },
  file: string,
): Promise<ShownAlertRule> {
  const { success, data } = alertName.safeParse(name);
  if (!success) throw new DavitError('usage', `${file} must say the name of the rule`);
  return agent.put<ShownAlertRule>(`${path}/${data}`, rest);
}

async function removeRule({ agent, terminal, json }: Run, _options: object, name: string): Promise<void> {
  const answer = await agent().delete<DeletedAlertRule>(`${path}/${name}`);
  if (json) terminal.json(answer);
  else terminal.print(`Alert rule ${safeText(answer.deleted.name)} was deleted`);
}

/** What it waits for, in a few words. */
function conditionText({ event, series, above, below, clear, for: holds }: ShownAlertRule): string {
  const threshold = above === undefined ? `< ${below}` : `> ${above}`;
  const until = clear === undefined ? '' : ` (over at ${clear})`;
  const what = event ?? `${series} ${threshold}${until}`;
  return /^0+(\.0+)?(ms|s|m|h|d)$/.test(holds) ? what : `${what} for ${holds}`;
}
