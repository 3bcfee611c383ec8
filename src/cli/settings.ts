import type { Command } from 'commander';
import type { AgentConfiguration, Setting } from '../contract/agent_configuration.ts';
import type { Act, Run } from './command.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import { safeText } from './text.ts';

export function addSettings(program: Command, act: Act): void {
  program
    .command('settings')
    .description('Show every setting by which the agent runs, and where it comes from.')
    .option('--changed', 'only those that are not the default')
    .addHelpText('after', examples(['davit settings', 'davit settings --changed', 'davit settings --json']))
    .action(act(showSettings));
}

async function showSettings(
  { agent, terminal, json }: Run,
  { changed }: { readonly changed?: boolean },
): Promise<void> {
  const answer = await agent().get<AgentConfiguration>('/api/v1/agent/configuration');
  const settings = answer.settings.filter(({ origin }) => !changed || origin !== 'default');
  if (json) return terminal.json({ ...answer, settings });
  const columns: Column[] = [
    { title: 'SETTING' },
    { title: 'VALUE', isFlexible: true },
    { title: 'FROM', dropAt: 1 },
  ];
  terminal.print(table(columns, settings.map(row), terminal.columns));
  const warning = terminal.style('yellow', 'warning:');
  for (const { path, value } of answer.pending) {
    terminal.print(
      `${warning} ${safeText(path)} will be ${safeText(valueText(value))} after the next restart`,
    );
  }
  if (answer.refused !== null) terminal.print(`${warning} ${safeText(answer.refused)}`);
}

function row({ path, value, origin, source }: Setting): string[] {
  return [path, valueText(value), source ?? origin];
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
