import { Argument, type Command } from 'commander';
import type { AgentInformation } from '../contract/agent.ts';
import { logLevels } from '../contract/scalars.ts';
import { commit, version } from '../lib/version.ts';
import type { Act, Run } from './command.ts';
import { moment, since } from './format.ts';
import { examples } from './help.ts';
import { facts } from './table.ts';
import { safeText } from './text.ts';

/** Version and commit, as one line. */
export const versionText = `davit ${version} (${commit})`;

export function addInfo(program: Command, act: Act): void {
  program
    .command('info')
    .description('Show the agent itself: version, address, data directory, warnings.')
    .addHelpText('after', examples(['davit info', 'davit info --json']))
    .action(act(showInfo));
}

export function addLogLevel(program: Command, act: Act): void {
  program
    .command('log-level')
    .description("Set the level of the agent's own log until it ends.")
    .addArgument(new Argument('<level>', 'the least level that is logged').choices(logLevels))
    .addHelpText('after', examples(['davit log-level debug']))
    .action(
      act(async ({ agent, terminal, json }: Run, _options: object, level: string) => {
        const answer = await agent().put<{ log_level: string }>('/api/v1/agent/log_level', {
          log_level: level,
        });
        if (json) terminal.json(answer);
        else terminal.print(`the agent logs from ${safeText(answer.log_level)} up`);
      }),
    );
}

export function addVersion(program: Command, act: Act): void {
  program
    .command('version')
    .description('Show the version of this command line.')
    .addHelpText('after', examples(['davit version', 'davit version --json']))
    .action(
      act(async ({ terminal, json }: Run) => {
        if (json) terminal.json({ version, commit, node: process.versions.node, platform: platformText });
        else terminal.print(versionText);
      }),
    );
}

const platformText = `${process.platform}-${process.arch}`;

async function showInfo({ agent, terminal, json }: Run): Promise<void> {
  const client = agent();
  const answer = await client.get<AgentInformation>('/api/v1/agent');
  if (json) return terminal.json(answer);
  terminal.print(
    facts([
      ['agent', `${client.target.url.origin} (${client.target.origin})`],
      ['key from', client.target.key?.origin],
      ['version', `${answer.version} (${answer.commit}), Node ${answer.node}, ${answer.platform}`],
      ['host', answer.hostname],
      ['pid', String(answer.pid)],
      ['started', `${moment(answer.started_at)}, ${since(answer.started_at)} ago`],
      ['listens on', answer.listen],
      ['data', answer.data],
      ['log level', answer.log_level],
      ['memory', `${(answer.memory.resident_bytes / 2 ** 20).toFixed(0)} MiB resident`],
      ['control groups', groupsText(answer.control_groups)],
      ['services', `${answer.services.total}, of which ${answer.services.running} run`],
    ]),
  );
  for (const warning of answer.warnings)
    terminal.print(`${terminal.style('yellow', 'warning:')} ${safeText(warning)}`);
}

/** Agents of earlier versions do not tell. */
function groupsText(groups: AgentInformation['control_groups'] | undefined): string | undefined {
  if (groups === undefined) return undefined;
  return groups.used ? 'one for each instance' : 'none, see the warnings';
}
