import type { Command } from 'commander';
import { examples } from './help.ts';

/** What the command line sets of a router. */
export interface RouterFlags {
  readonly directory: string;
}

/** What is done by others than the command line. */
export interface RouterActions {
  /** Runs a router; resolves when it has ended. */
  runRouter(flags: RouterFlags): Promise<void>;
}

/** router: what the agent starts; nobody has to. */
export function addRouter(program: Command, actions: RouterActions): void {
  program
    .command('router', { hidden: true })
    .description(
      'Run a router: it takes connections to services, by what the agent tells it. The agent starts it by itself.',
    )
    .requiredOption('--directory <directory>', 'the folder that it shares with the agent')
    .addHelpText('after', examples(['davit router --directory /var/lib/davit/router']))
    .action((_options: object, command: Command) =>
      actions.runRouter({ directory: String(command.getOptionValue('directory')) }),
    );
}
