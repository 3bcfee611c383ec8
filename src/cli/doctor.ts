import type { Command } from 'commander';
import type { Finding } from '../contract/doctor.ts';
import { defaultDataDirectory } from '../lib/data_directory.ts';
import type { AgentActions } from './agent_command.ts';
import type { AgentClient } from './client.ts';
import { type Act, isSuperuser, type Run } from './command.ts';
import { checkAgent } from './doctor_agent.ts';
import { checkCertificates } from './doctor_certificates.ts';
import { checkClock, checkConfiguration, checkData, checkHost } from './doctor_host.ts';
import { checkPorts, checkRouters } from './doctor_ports.ts';
import { checkProcess } from './doctor_process.ts';
import { exitCode } from './exit_codes.ts';
import { examples } from './help.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

export function addDoctor(program: Command, act: Act, actions: AgentActions): void {
  program
    .command('doctor')
    .description('Say what is wrong or missing on this host, and what to do about it.')
    .option('--config <file>', "the agent's configuration (default: /etc/davit/davit.yaml, if it exists)")
    .addHelpText(
      'after',
      `${examples(['sudo davit doctor', 'davit doctor --json'])}

It works with the agent up or down. The exit code is 1 when there is a problem.`,
    )
    .action(act((run: Run, { config }: { config?: string }) => diagnose(run, actions, config)));
}

async function diagnose(run: Run, actions: AgentActions, config: string | undefined): Promise<number> {
  const { terminal, json } = run;
  const findings = await examine(run, actions, config);
  const problems = findings.filter(({ state }) => state === 'problem').length;
  if (json) terminal.json({ healthy: problems === 0, findings });
  else terminal.print(report(findings, terminal));
  return problems === 0 ? exitCode.ok : exitCode.failed;
}

/** What is on this host is looked at only when the agent that is meant is that of this host. */
export async function examine(
  run: Run,
  actions: AgentActions,
  config: string | undefined,
): Promise<Finding[]> {
  let client: AgentClient | null = null;
  const { information, findings } = await checkAgent(() => {
    client = run.agent();
    return client;
  });
  if ((client as AgentClient | null)?.target.isLocal === false) return [...findings];
  const { data } = run.flags;
  const flags = { ...(config !== undefined && { config }), ...(data !== undefined && { data }) };
  const { finding, settings } = checkConfiguration(() => actions.checkConfig(flags));
  const folder = information?.data ?? settings?.data ?? defaultDataDirectory(run.environment, isSuperuser());
  return [
    ...findings,
    finding,
    ...checkData(folder),
    checkClock(folder),
    ...(settings === null
      ? []
      : [
          ...(await checkPorts(settings, information !== null)),
          ...checkRouters(settings),
          ...checkCertificates(settings),
        ]),
    ...(information === null ? [] : checkProcess(information.pid, information.services.total)),
    // A running agent has said it among its warnings.
    ...(information === null ? checkHost(isSuperuser()) : []),
  ];
}

const styles = { ok: 'green', warning: 'yellow', problem: 'red' } as const;

function report(findings: readonly Finding[], terminal: Terminal): string {
  const lines = findings.flatMap(({ state, check, message, advice }) => [
    `${terminal.style(styles[state], state.padEnd(9))}${safeText(check)}: ${safeText(message)}`,
    ...(advice === null ? [] : [`${' '.repeat(9)}${safeText(advice)}`]),
  ]);
  return [...lines, summary(findings)].join('\n');
}

function summary(findings: readonly Finding[]): string {
  const count = (wanted: Finding['state']) => findings.filter(({ state }) => state === wanted).length;
  const [problems, warnings] = [count('problem'), count('warning')];
  if (problems + warnings === 0) return 'Everything is well.';
  const text = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  return `${text(problems, 'problem')}, ${text(warnings, 'warning')}`;
}
