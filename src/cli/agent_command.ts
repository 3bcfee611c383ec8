import { type Command, Option } from 'commander';
import type { AgentCheck } from '../contract/agent_check.ts';
import { logLevels } from '../contract/scalars.ts';
import type { Act, Run } from './command.ts';
import { examples } from './help.ts';
import { facts } from './table.ts';

/** What the command line sets of an agent's configuration. */
export interface AgentFlags {
  readonly config?: string;
  readonly listen?: string;
  readonly data?: string;
  readonly log_level?: string;
  readonly stop_services?: boolean;
}

/** What is done by others than the command line. */
export interface AgentActions {
  /** Runs an agent; resolves when it has ended. */
  runAgent(flags: AgentFlags): Promise<void>;
  /** Reads an agent's configuration and gives all its settings. Throws when it is not right. */
  checkConfig(flags: AgentFlags): unknown;
  /** Says whether this binary could run an agent with the configuration and state that are there. Throws why not. */
  checkAgent(flags: AgentFlags): AgentCheck;
}

interface AgentOptions {
  readonly config?: string;
  readonly listen?: string;
  readonly data?: string;
  readonly logLevel?: string;
  readonly stopServices?: boolean;
  readonly check?: boolean;
}

export function addAgent(program: Command, act: Act, actions: AgentActions): void {
  const check = act(async ({ terminal, json, flags }: Run) => {
    const found = actions.checkAgent(agentFlags(flags));
    if (json) terminal.json(found);
    else terminal.print(`${describeCheck(found)}\nThis davit can run here.`);
  });
  program
    .command('agent')
    .description('Run the agent: it starts, watches and stops services, and serves the API.')
    .option('--config <file>', 'its configuration (default: /etc/davit/davit.yaml, if it exists)')
    .option('--listen <host:port>', 'where the API listens (default: 127.0.0.1:8888)')
    .option('--data <directory>', 'its data directory (default: /var/lib/davit as root)')
    .addOption(
      new Option('--log-level <level>', 'the least level that it logs (default: info)').choices(logLevels),
    )
    .option('--stop-services', 'stop the services when the agent ends')
    .option('--no-stop-services', 'leave them running (the default)')
    .option('--check', 'run nothing: say whether it could run with the state that is there')
    .addHelpText(
      'after',
      examples(['davit agent', 'davit agent --listen 127.0.0.1:9000 --data ./state', 'davit agent --check']),
    )
    .action((options: AgentOptions, command: Command) =>
      options.check ? check(options, command) : actions.runAgent(agentFlags(command.optsWithGlobals())),
    );
}

export function addConfig(program: Command, act: Act, actions: AgentActions): void {
  program
    .command('config')
    .description("Check an agent's configuration.")
    .command('check')
    .description('Say whether a configuration is right, and what is wrong where.')
    .option('--config <file>', 'the file (default: /etc/davit/davit.yaml, if it exists)')
    .addHelpText('after', examples(['davit config check', 'davit config check --config davit.yaml']))
    .action(
      act(async ({ terminal, json }: Run, options: AgentOptions) => {
        const settings = await actions.checkConfig(agentFlags(options));
        if (json) terminal.json({ valid: true, settings });
        else terminal.print('The configuration is right.');
      }),
    );
}

function describeCheck({ data, services, releases, ...check }: AgentCheck): string {
  return facts([
    ['data', data],
    ['state', describeState(check)],
    ['services', `${services}, with ${releases} releases`],
  ]);
}

function describeState(check: Pick<AgentCheck, 'state_version' | 'next_state_version'>): string {
  const { state_version, next_state_version } = check;
  if (state_version === null) return 'none yet';
  if (state_version === next_state_version) return `version ${state_version}`;
  return `version ${state_version}, which this davit brings to version ${next_state_version}`;
}

function agentFlags({ config, listen, data, logLevel, stopServices }: AgentOptions): AgentFlags {
  return {
    ...(config !== undefined && { config }),
    ...(listen !== undefined && { listen }),
    ...(data !== undefined && { data }),
    ...(logLevel !== undefined && { log_level: logLevel }),
    ...(stopServices !== undefined && { stop_services: stopServices }),
  };
}
