import type { Command } from 'commander';
import type { Deployment, DeploymentStatus } from '../contract/deployments.ts';
import { DavitError } from '../lib/errors.ts';
import { serviceArgument, servicePath, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { moment, tookText } from './format.ts';
import { examples } from './help.ts';
import { type Column, facts, table } from './table.ts';
import type { Canvas } from './terminal.ts';
import { safeText } from './text.ts';

export interface DeploymentList {
  readonly deployments: readonly Deployment[];
}

export function addDeployments(program: Command, act: Act): void {
  program
    .command('deployments')
    .description('List the deployments of a service, newest first, or show one with its steps.')
    .argument('<service>', 'the service', serviceArgument)
    .argument('[deployment]', 'its number', wholeNumber())
    .option('-n, --lines <number>', 'how many, at most 200 (default: 20)', wholeNumber())
    .addHelpText('after', examples(['davit deployments web', 'davit deployments web 12']))
    .action(
      act(async (run: Run, { lines }: { lines?: number }, service: string, deployment?: number) =>
        deployment === undefined
          ? listDeployments(run, service, lines)
          : showDeployment(run, service, deployment),
      ),
    );
}

export function addCancel(program: Command, act: Act): void {
  steer(program, act, 'cancel', {
    description: 'End a deployment that waits or is under way; what served before serves again.',
    done: 'is cancelled',
    isMeant: ['running', 'baking', 'waiting'],
  });
}

export function addPromote(program: Command, act: Act): void {
  steer(program, act, 'promote', {
    description: 'End the comparing of a deployment: its release gets all requests.',
    done: 'is promoted',
    isMeant: ['baking'],
  });
}

interface SteerOptions {
  readonly description: string;
  readonly done: string;
  /** Which states the deployment that is meant by itself may be in, the likeliest first. */
  readonly isMeant: readonly DeploymentStatus[];
}

function steer(
  program: Command,
  act: Act,
  name: 'cancel' | 'promote',
  { description, done, isMeant }: SteerOptions,
): void {
  program
    .command(name)
    .description(description)
    .argument('<service>', 'the service', serviceArgument)
    .argument('[deployment]', 'its number; without it, the one that is under way', wholeNumber())
    .addHelpText('after', examples([`davit ${name} web`, `davit ${name} web 12`]))
    .action(
      act(async ({ agent, terminal, json }: Run, _options: object, service: string, given?: number) => {
        const path = servicePath(service, '/deployments');
        const number = given ?? (await openDeployment({ agent }, path, isMeant, name));
        const deployment = await agent().post<Deployment>(`${path}/${number}/${name}`, {});
        if (json) terminal.json(deployment);
        else terminal.print(`${safeText(service)}: deployment ${deployment.id} ${done}`);
      }),
    );
}

async function openDeployment(
  { agent }: Pick<Run, 'agent'>,
  path: string,
  isMeant: readonly DeploymentStatus[],
  name: string,
): Promise<number> {
  const { deployments } = await agent().get<DeploymentList>(path);
  for (const status of isMeant) {
    const found = deployments.find((each) => each.status === status);
    if (found !== undefined) return found.id;
  }
  throw new DavitError(
    'state_conflict',
    `there is no deployment to ${name}: none is ${isMeant.join(' or ')}`,
  );
}

async function listDeployments(
  { agent, terminal, json }: Run,
  service: string,
  limit?: number,
): Promise<void> {
  const answer = await agent().get<DeploymentList>(servicePath(service, '/deployments'), { limit });
  if (json) return terminal.json(answer);
  if (answer.deployments.length === 0)
    return terminal.print(`${safeText(service)} has not been deployed yet.`);
  terminal.print(deploymentTable(answer.deployments, terminal));
}

/** Deployments, each with how it went. */
export function deploymentTable(deployments: readonly Deployment[], canvas: Canvas): string {
  const columns: Column[] = [
    { title: 'DEPLOYMENT' },
    { title: 'STATUS', paint: (status) => statusText(canvas, status) },
    { title: 'RELEASE' },
    { title: 'STRATEGY', dropAt: 2 },
    { title: 'CREATED', dropAt: 3 },
    { title: 'TOOK', dropAt: 2 },
    { title: 'BY', dropAt: 1 },
    { title: 'LAST', isFlexible: true },
  ];
  const rows = deployments.map((each) => [
    String(each.id),
    each.status,
    each.release?.toString() ?? '-',
    each.strategy ?? '-',
    moment(each.created_at),
    tookText(each),
    each.actor,
    each.cause ?? each.steps.at(-1)?.message ?? '',
  ]);
  return table(columns, rows, canvas.columns);
}

async function showDeployment(
  { agent, terminal, json }: Run,
  service: string,
  number: number,
): Promise<void> {
  const shown = await agent().get<Deployment>(servicePath(service, `/deployments/${number}`));
  if (json) return terminal.json(shown);
  const { status, release, previous_release, strategy, actor, created_at, cause, steps } = shown;
  const before = previous_release === null ? '' : `, in place of ${previous_release}`;
  terminal.print(
    facts([
      ['status', statusText(terminal, status)],
      ['release', release === null ? '-' : `${release}${before}`],
      ['strategy', strategy ?? '-'],
      ['by', safeText(actor)],
      ['created', moment(created_at)],
      ['took', tookText(shown)],
      ...(cause === null ? [] : [['cause', safeText(cause)] as [string, string]]),
    ]),
  );
  if (steps.length === 0) return;
  const lines = steps.map(
    ({ time, message }) => `  ${terminal.style('dim', moment(time))}  ${safeText(message)}`,
  );
  terminal.print(`\n${lines.join('\n')}`);
}

function statusText(canvas: Canvas, status: string): string {
  const styles: Readonly<Partial<Record<DeploymentStatus, 'green' | 'yellow' | 'red'>>> = {
    succeeded: 'green',
    waiting: 'yellow',
    running: 'yellow',
    baking: 'yellow',
    failed: 'red',
  };
  const style = Object.hasOwn(styles, status) ? styles[status as DeploymentStatus] : undefined;
  return style === undefined ? status : canvas.style(style, status);
}
