import { Argument, type Command } from 'commander';
import { serviceIdPattern } from '../contract/scalars.ts';
import type { ServiceList } from '../contract/services.ts';
import { type Candidate, expected } from './candidates.ts';
import { AgentClient } from './client.ts';
import { type Act, isSuperuser, type Run } from './command.ts';
import { completionScripts, type Shell, shells } from './completion_scripts.ts';
import { contextFilePath, localContext, readContexts } from './context_file.ts';
import { examples } from './help.ts';
import { resolveTarget } from './target.ts';
import { safeText } from './text.ts';

/** Milliseconds that somebody who pressed the tab key waits for an agent. */
const patience = 1_500;

export function addCompletion(program: Command, act: Act): void {
  program
    .command('completion')
    .description('Print what makes a shell complete commands, options and services.')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .addHelpText(
      'after',
      examples([
        'source <(davit completion bash)     # in ~/.bashrc',
        'source <(davit completion zsh)      # in ~/.zshrc',
        'davit completion fish | source      # in ~/.config/fish/config.fish',
      ]),
    )
    .action(
      act(async ({ terminal }: Run, _options: object, shell: Shell) =>
        terminal.write(completionScripts[shell]),
      ),
    );
  // What the scripts call.
  program.command('complete', { hidden: true }).action(act((run: Run) => complete(program, run)));
}

/** Prints what may follow the words after `--`. Says nothing when an agent or a file cannot be asked. */
async function complete(program: Command, run: Run): Promise<void> {
  const place = expected(program, run.rest);
  if (place.kind === 'files' || place.kind === 'directories') return run.terminal.print(`:${place.kind}`);
  const candidates =
    place.kind === 'words' ? place.words : await named(place.kind, program, run).catch(() => []);
  const current = run.rest.at(-1) ?? '';
  const taken = new Set(place.kind === 'services' ? run.rest.slice(0, -1) : []);
  for (const { word, description } of candidates) {
    if (!word.startsWith(current) || taken.has(word)) continue;
    run.terminal.print(description === '' ? safeText(word) : `${safeText(word)}\t${safeText(description)}`);
  }
}

async function named(kind: 'services' | 'contexts', program: Command, run: Run): Promise<Candidate[]> {
  if (kind === 'contexts') {
    const { contexts } = readContexts(contextFilePath(run.environment));
    const known = Object.entries(contexts).map(([word, { url }]) => ({ word, description: url }));
    return [{ word: localContext, description: 'the agent of this host' }, ...known];
  }
  // The agent may be named among the words that are typed.
  program.parseOptions(run.rest.slice(0, -1));
  const target = resolveTarget(program.opts(), run.environment, isSuperuser());
  const client = new AgentClient(target, patience, run.signal);
  try {
    const { services } = await client.get<ServiceList>('/api/v1/services');
    return services
      .filter(({ id }) => serviceIdPattern.test(id))
      .map(({ id, status }) => ({ word: id, description: status.status }));
  } finally {
    client.close();
  }
}
