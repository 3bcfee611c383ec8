import type { Command } from 'commander';
import type { Applied, AppliedStep, Plan } from '../contract/declaration.ts';
import { DavitError } from '../lib/errors.ts';
import type { Act, Run } from './command.ts';
import { askAbout, type DeclarationRequest, readDeclaration } from './declaration_file.ts';
import { exitCode } from './exit_codes.ts';
import { examples } from './help.ts';
import { operationText } from './operation.ts';
import { planText } from './plan_text.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

interface ApplyFlags {
  readonly file?: string;
  readonly prune?: boolean;
  readonly plan?: string;
  readonly force?: boolean;
  readonly yes?: boolean;
}

export function addApply(program: Command, act: Act): void {
  program
    .command('apply')
    .description(
      'Make of the services what a declaration says. On a terminal the plan is shown first, and you are asked; exactly that plan is carried out, or nothing where things have moved meanwhile.',
    )
    .summary('Make of the services what a declaration says.')
    .option('-f, --file <file>', 'the declaration; - reads standard input (default: davit.yaml)')
    .option('--prune', 'delete what was declared under its name before and is no longer')
    .option('--plan <id>', 'only if this is still the plan, as davit plan showed it')
    .option('--force', 'go on although things have moved since the plan')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      examples(['davit apply', 'davit apply -f shop.yaml --prune --yes', 'davit apply -f - < shop.yaml']),
    )
    .action(act(apply));
}

async function apply(run: Run, flags: ApplyFlags): Promise<number> {
  const { terminal, json } = run;
  const { prune = false, plan, force = false } = flags;
  const declared = { ...(await readDeclaration(flags.file, terminal)), prune };
  let id = plan;
  // Who gives a plan has seen it; and where nobody can be asked, what is declared is what is wanted.
  if (plan === undefined && !json && terminal.canAsk) {
    const shown = await askAbout<Plan>(run, '/api/v1/plan', declared);
    terminal.print(planText(terminal, shown));
    if (shown.changes && !flags.yes && !(await terminal.confirm('Do this?', run.signal))) {
      terminal.note('Nothing was changed.');
      return exitCode.failed;
    }
    id = shown.id;
  }
  const applied = await send(run, { ...declared, force, ...(id !== undefined && { plan: id }) });
  if (json) terminal.json(applied);
  else printOutcome(terminal, applied);
  return applied.results.some(({ outcome }) => outcome === 'failed') ? exitCode.failed : exitCode.ok;
}

/** What was applied in part is an outcome like others here. */
async function send(run: Run, body: DeclarationRequest): Promise<Applied> {
  try {
    return await askAbout<Applied>(run, '/api/v1/apply', body);
  } catch (error) {
    if (run.json || !(error instanceof DavitError) || error.code !== 'apply_failed') throw error;
    return error.fields as unknown as Applied;
  }
}

function printOutcome(terminal: Terminal, { results, summary }: Applied): void {
  for (const step of results.filter(({ outcome }) => outcome !== 'unchanged'))
    terminal.print(outcomeText(terminal, step));
  terminal.print(safeText(`${summary[0]?.toUpperCase() ?? ''}${summary.slice(1)}.`));
}

function outcomeText(terminal: Terminal, { service, outcome, message, result, error }: AppliedStep): string {
  if (result !== undefined) return operationText(result);
  const lines = Array.isArray(error?.['last_lines']) ? error['last_lines'] : [];
  const text = [safeText(`${service}: ${message}`), ...lines.map((line) => `    ${safeText(String(line))}`)];
  return terminal.style(outcome === 'failed' ? 'red' : 'yellow', text.join('\n'));
}
