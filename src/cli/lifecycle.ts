import type { Command } from 'commander';
import type { BatchResult } from '../contract/batch.ts';
import type { OperationResult } from '../contract/services.ts';
import { DavitError } from '../lib/errors.ts';
import { serviceArgument, serviceArguments, servicePath, signalArgument, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { exitCode, exitCodeOfStatus } from './exit_codes.ts';
import { examples } from './help.ts';
import { operationText, stopTrouble } from './operation.ts';
import { safeText } from './text.ts';

type Operation = 'start' | 'stop' | 'restart' | 'pause' | 'resume' | 'delete';

const done: Readonly<Record<Operation, string>> = {
  start: 'started',
  stop: 'stopped',
  restart: 'restarted',
  pause: 'paused',
  resume: 'resumed',
  delete: 'deleted',
};

const descriptions: Readonly<Record<Operation, string>> = {
  start: 'Start services that are stopped.',
  stop: 'Stop services and everything they started.',
  restart: 'Stop services and start them again.',
  pause: 'Halt every process of services (SIGSTOP) until they are resumed.',
  resume: 'Let paused services go on (SIGCONT).',
  delete: 'Stop services and forget them, their releases and their logs.',
};

/** start, stop, restart, pause, resume: each takes one service or several. */
export function addLifecycle(program: Command, act: Act): void {
  for (const operation of ['start', 'stop', 'restart', 'pause', 'resume'] as const) {
    if (operation === 'restart') addRestart(program, act);
    else
      addOperation(program, operation).action(
        act((run: Run, _options: object, services: string[]) => operate(run, operation, services)),
      );
  }
}

function addRestart(program: Command, act: Act): void {
  addOperation(program, 'restart')
    .option('--instance <number>', 'only that instance of one service', wholeNumber())
    .action(
      act((run: Run, { instance }: { instance?: number }, services: string[]) =>
        instance === undefined ? operate(run, 'restart', services) : restartInstance(run, instance, services),
      ),
    );
}

export function addDelete(program: Command, act: Act): void {
  addOperation(program, 'delete')
    .option('-y, --yes', 'do not ask')
    .action(
      act((run: Run, options: { yes?: boolean }, services: string[]) =>
        deleteServices(run, options, services),
      ),
    );
}

export function addSignal(program: Command, act: Act): void {
  program
    .command('signal')
    .description('Send a signal to every process of a service.')
    .argument('<service>', 'the service', serviceArgument)
    .argument('<signal>', 'its name, such as HUP or SIGUSR1', signalArgument)
    .addHelpText('after', examples(['davit signal web HUP']))
    .action(
      act(async ({ agent, terminal, json }: Run, _options: object, service: string, signal: string) => {
        const result = await agent().post<OperationResult>(servicePath(service, '/signal'), { signal });
        if (json) terminal.json(result);
        else terminal.print(`${safeText(result.service)}: ${signal} sent`);
      }),
    );
}

function addOperation(program: Command, operation: Operation): Command {
  return program
    .command(operation)
    .description(descriptions[operation])
    .argument('<service...>', 'the services', serviceArguments)
    .addHelpText('after', examples([`davit ${operation} web`, `davit ${operation} web worker`]));
}

async function deleteServices(run: Run, { yes }: { yes?: boolean }, services: string[]): Promise<number> {
  if (!yes) {
    const names = services.join(', ');
    if (!run.terminal.canAsk)
      throw new DavitError('usage', `deleting ${names} needs --yes where nobody can be asked`);
    const question = `Stop ${names} and delete ${services.length === 1 ? 'its' : 'their'} releases and logs?`;
    if (!(await run.terminal.confirm(question, run.signal))) {
      run.terminal.note('Nothing was deleted.');
      return exitCode.failed;
    }
  }
  return await operate(run, 'delete', services);
}

async function restartInstance(
  { agent, terminal, json }: Run,
  instance: number,
  [service = '', ...more]: readonly string[],
): Promise<void> {
  if (more.length > 0) throw new DavitError('usage', '--instance is for one service');
  const path = servicePath(service, `/instances/${instance}/restart`);
  const result = await agent().post<OperationResult>(path);
  if (json) terminal.json(result);
  else terminal.print(`${safeText(result.service)}: ${safeText(result.message)}${stopTrouble(result)}`);
}

/** One service is called by its own route, several in one batch. */
async function operate(run: Run, operation: Operation, services: readonly string[]): Promise<number> {
  const { agent, terminal, json } = run;
  const [first] = services;
  if (first !== undefined && services.length === 1) {
    const path = servicePath(first);
    const result =
      operation === 'delete'
        ? await agent().delete<OperationResult>(path)
        : await agent().post<OperationResult>(`${path}/${operation}`);
    if (json) terminal.json(result);
    else terminal.print(operationText(result));
    return exitCode.ok;
  }
  const operations = services.map((service) => ({ operation, service }));
  const batch = await agent().post<BatchResult>('/api/v1/batch', { operations });
  if (json) terminal.json(batch);
  else printBatch(run, operation, batch);
  return batchExitCode(batch);
}

function printBatch(
  { terminal }: Run,
  operation: Operation,
  { results, succeeded, failed }: BatchResult,
): void {
  for (const { service, result } of results) {
    const text =
      'error' in result ? `${safeText(service)}: ${safeText(result.error)}` : operationText(result);
    terminal.print('error' in result ? terminal.style('red', text) : text);
  }
  terminal.print(
    `${succeeded} of ${results.length} ${done[operation]}${failed > 0 ? `, ${failed} failed` : ''}`,
  );
}

/** What all failures have in common, or `failed` when they differ. */
function batchExitCode({ results }: BatchResult): number {
  const codes = new Set(results.map(({ http_status }) => exitCodeOfStatus(http_status)));
  codes.delete(exitCode.ok);
  const [only = exitCode.ok] = codes;
  return codes.size > 1 ? exitCode.failed : only;
}
