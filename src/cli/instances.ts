import type { Command } from 'commander';
import type { InstanceList, InstanceStatus } from '../contract/instances.ts';
import { serviceArgument, servicePath } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { since, stateText, until } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import type { Canvas } from './terminal.ts';

export function addInstances(program: Command, act: Act): void {
  program
    .command('instances')
    .description('List the instances of a service, each with its state, port and health.')
    .argument('<service>', 'the service', serviceArgument)
    .addHelpText('after', examples(['davit instances web', 'davit instances web --json']))
    .action(act(listInstances));
}

async function listInstances(
  { agent, terminal, json }: Run,
  _options: object,
  service: string,
): Promise<void> {
  const answer = await agent().get<InstanceList>(servicePath(service, '/instances'));
  if (json) return terminal.json(answer);
  terminal.print(instanceTable(answer.instances, terminal));
}

/** Instances, each with how it stands. */
export function instanceTable(instances: readonly InstanceStatus[], canvas: Canvas): string {
  const columns: Column[] = [
    { title: 'INSTANCE' },
    { title: 'STATE', paint: (state) => stateText(canvas, state) },
    { title: 'READY', dropAt: 7 },
    { title: 'HEALTH', dropAt: 6 },
    { title: 'PID', dropAt: 2 },
    { title: 'PORT', dropAt: 5 },
    { title: 'RELEASE', dropAt: 1 },
    { title: 'UPTIME', dropAt: 3 },
    { title: 'RESTARTS', dropAt: 4 },
    { title: 'MESSAGE', isFlexible: true },
  ];
  const rows = instances.map((instance) => [
    String(instance.instance),
    instance.status,
    instance.ready ? 'yes' : 'no',
    healthOf(instance),
    instance.pid?.toString() ?? '-',
    instance.port?.toString() ?? '-',
    instance.release?.toString() ?? '-',
    instance.pid === undefined || instance.start_time === undefined ? '-' : since(instance.start_time),
    String(instance.restarts),
    messageOf(instance),
  ]);
  return table(columns, rows, canvas.columns);
}

/** The worse of what its probes say. */
function healthOf({ readiness, liveness }: InstanceStatus): string {
  const verdicts = [readiness, liveness];
  return (['unhealthy', 'unknown', 'healthy'] as const).find((each) => verdicts.includes(each)) ?? '-';
}

function messageOf({ message, retry_time }: InstanceStatus): string {
  return retry_time === undefined ? message : `${message}; started again in ${until(retry_time)}`;
}
