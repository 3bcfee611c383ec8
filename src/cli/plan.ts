import type { Command } from 'commander';
import type { Plan } from '../contract/declaration.ts';
import type { Act, Run } from './command.ts';
import { askAbout, readDeclaration } from './declaration_file.ts';
import { exitCode } from './exit_codes.ts';
import { examples } from './help.ts';
import { planText } from './plan_text.ts';

interface PlanFlags {
  readonly file?: string;
  readonly prune?: boolean;
  readonly detailedExitcode?: boolean;
}

/** The exit code that tools of this kind have for it. */
const somethingToDo = 2;

export function addPlan(program: Command, act: Act): void {
  program
    .command('plan')
    .description(
      'Show what applying a declaration would change and what it would cost: which instances restart, which connections drop, which ports move. Nothing is changed.',
    )
    .summary('Show what applying a declaration would change and cost.')
    .option('-f, --file <file>', 'the declaration; - reads standard input (default: davit.yaml)')
    .option('--prune', 'with what would be deleted because it is no longer declared')
    .option('--detailed-exitcode', 'end with 2 when there is something to do')
    .addHelpText(
      'after',
      examples(['davit plan', 'davit plan -f shop.yaml --prune', 'davit plan -f shop.yaml --json']),
    )
    .action(act(plan));
}

async function plan(run: Run, { file, prune = false, detailedExitcode }: PlanFlags): Promise<number> {
  const { terminal, json } = run;
  const declared = await readDeclaration(file, terminal);
  const answer = await askAbout<Plan>(run, '/api/v1/plan', { ...declared, prune });
  if (json) terminal.json(answer);
  else {
    terminal.print(planText(terminal, answer));
    const flags = `${prune ? ' --prune' : ''} --plan ${answer.id}`;
    if (answer.changes) terminal.note(`To do exactly this: davit apply -f ${file ?? declared.file}${flags}`);
  }
  return detailedExitcode && answer.changes ? somethingToDo : exitCode.ok;
}
