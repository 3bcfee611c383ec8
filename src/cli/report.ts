import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { AgentInformation } from '../contract/agent.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { writePrivateFile } from '../lib/private_file.ts';
import { redactText } from '../lib/redaction.ts';
import type { AgentActions } from './agent_command.ts';
import type { AgentClient } from './client.ts';
import type { Act, Run } from './command.ts';
import { examine } from './doctor.ts';
import { examples } from './help.ts';
import {
  agentSections,
  dataText,
  hostFacts,
  journalText,
  processText,
  type Section,
  section,
} from './report_sections.ts';
import { reportText } from './report_text.ts';

interface ReportOptions {
  readonly config?: string;
  readonly output?: string;
}

export function addReport(program: Command, act: Act, actions: AgentActions): void {
  program
    .command('report')
    .description(
      'Write down everything that helps to find out what is wrong, without secrets, into one file.',
    )
    .option('-o, --output <file>', 'where to (default: davit-report-<host>-<time>.md; -: standard output)')
    .option('--config <file>', "the agent's configuration (default: /etc/davit/davit.yaml, if it exists)")
    .addHelpText(
      'after',
      `${examples(['sudo davit report', 'davit report --output - | less'])}

It works with the agent up or down. The file is text: read it before you send
it.`,
    )
    .action(act((run: Run, options: ReportOptions) => writeReport(run, actions, options)));
}

async function writeReport(run: Run, actions: AgentActions, options: ReportOptions): Promise<void> {
  const { terminal, json } = run;
  const { config, output = nameOfFile() } = options;
  const sections = await gather(run, actions, config);
  const text = reportText(sections, (part) => redactText(part, ownKeys(run)));
  if (output === '-') return terminal.write(text);
  const file = resolve(output);
  try {
    writePrivateFile(file, text);
  } catch (cause) {
    throw new DavitError('usage', `${file} cannot be written: ${errorMessage(cause)}`, { cause });
  }
  if (json) return terminal.json({ file, bytes: Buffer.byteLength(text) });
  terminal.print(
    `${file} was written. Secrets that could be recognised are not in it; read it before you send it.`,
  );
}

async function gather(run: Run, actions: AgentActions, config: string | undefined): Promise<Section[]> {
  const flags = { ...(config !== undefined && { config }), ...(run.flags.data && { data: run.flags.data }) };
  const ofAgent = await section('Agent', () => run.agent()).then(({ content }) =>
    typeof content === 'string' ? [{ title: 'Agent', content }] : agentSections(content as AgentClient),
  );
  const agent = ofAgent.find(({ title }) => title === 'Agent')?.content;
  const information = typeof agent === 'object' ? (agent as AgentInformation) : null;
  const doctor = await section('Doctor', () => examine(run, actions, config));
  // What is on this host says nothing of an agent elsewhere.
  if (targetOf(run)?.isLocal === false) return [doctor, ...ofAgent];
  return [
    await section('Host', hostFacts),
    doctor,
    await section('Configuration', () => actions.checkConfig(flags)),
    ...ofAgent,
    ...(information === null
      ? []
      : [
          await section('Process of the agent', () => processText(information)),
          await section('Data directory', () => dataText(information.data)),
        ]),
    await section('Log of the agent', journalText),
  ];
}

/** The key by which this command asks, should anything repeat it. */
function ownKeys(run: Run): string[] {
  return [targetOf(run)?.key?.value ?? []].flat();
}

/** Which agent is meant; null: none could be found. */
function targetOf(run: Run): AgentClient['target'] | null {
  try {
    return run.agent().target;
  } catch {
    return null;
  }
}

function nameOfFile(): string {
  return `davit-report-${hostname()}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.md`;
}
