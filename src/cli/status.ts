import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Service, ServiceList, ServiceStatus } from '../contract/services.ts';
import { serviceArgument, servicePath } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { exitCode } from './exit_codes.ts';
import { commandText, moment, since, stateText, until } from './format.ts';
import { examples } from './help.ts';
import { type Column, facts, table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

/** Milliseconds between two looks of `--watch`. */
const watchInterval = 1_000;
const enterScreen = '\u001b[?1049h\u001b[?25l';
const leaveScreen = '\u001b[?25h\u001b[?1049l';
const clearScreen = '\u001b[H\u001b[2J';

interface StatusOptions {
  readonly watch?: boolean;
}

export function addStatus(program: Command, act: Act): void {
  program
    .command('status')
    .description('Show the state of every service, or of one in detail.')
    .argument('[service]', 'the service to show in detail', serviceArgument)
    .option('-w, --watch', 'show it again every second, until Ctrl-C')
    .addHelpText(
      'after',
      `${examples(['davit status', 'davit status web', 'davit status --watch', 'davit status web --json'])}

With a service, the exit code is 0 when it is running and 7 when it is not.`,
    )
    .action(act(showStatus));
}

async function showStatus(run: Run, { watch }: StatusOptions, service?: string): Promise<number> {
  if (watch) return await watchStatus(run, service);
  const { answer, text, code } = await look(run, service);
  if (run.json) run.terminal.json(answer);
  else run.terminal.print(text());
  return code;
}

/** Shows the state again and again; on a terminal on a screen of its own, which is left in any case. */
async function watchStatus(run: Run, service?: string): Promise<never> {
  const { terminal, signal, json } = run;
  let seen = await look(run, service);
  const redraws = terminal.canRedraw && !json;
  if (redraws) terminal.write(enterScreen);
  try {
    for (;;) {
      if (json) terminal.jsonLine(seen.answer);
      else terminal.print(redraws ? clearScreen + terminal.cutToHeight(seen.text()) : seen.text());
      await terminal.drained(signal);
      await delay(watchInterval, undefined, { signal });
      seen = await look(run, service);
    }
  } finally {
    if (redraws) terminal.write(leaveScreen);
  }
}

interface Look {
  readonly answer: Service | ServiceList;
  readonly code: number;
  text(): string;
}

async function look({ agent, terminal }: Run, service?: string): Promise<Look> {
  if (service === undefined) {
    const answer = await agent().get<ServiceList>('/api/v1/services');
    return { answer, code: exitCode.ok, text: () => serviceTable(answer.services.map(filledUp), terminal) };
  }
  const answer = await agent().get<Service>(servicePath(service));
  const code = answer.status.status === 'running' ? exitCode.ok : exitCode.notRunning;
  return { answer, code, text: () => serviceDetails(filledUp(answer), terminal) };
}

/** An earlier agent, which this command line may speak to, tells less of a service: it has one instance. */
function filledUp({ spec, status, ...service }: Service): Service {
  const running = status.status === 'running' ? 1 : 0;
  const fewer = { instances: { wanted: 1, running, ready: running }, restarts: 0, next_run: null };
  return {
    ...service,
    spec: { ...{ schedule: null, depends_on: {} }, ...spec },
    status: { ...fewer, ...status },
  };
}

function serviceTable(services: readonly Service[], terminal: Terminal): string {
  if (services.length === 0) return 'There are no services. Deploy one: davit deploy web -- node server.js';
  const hasSchedules = services.some(({ status }) => status.next_run !== null);
  const columns: Column[] = [
    { title: 'SERVICE' },
    { title: 'STATE', paint: (state) => stateText(terminal, state) },
    { title: 'READY', dropAt: 6 },
    { title: 'PID', dropAt: 2 },
    { title: 'RELEASE', dropAt: 1 },
    { title: 'RESTARTS', dropAt: 4 },
    { title: 'UPTIME', dropAt: 3 },
    ...(hasSchedules ? [{ title: 'NEXT RUN', dropAt: 5 }] : []),
    { title: 'COMMAND', isFlexible: true },
  ];
  const rows = services
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, spec, status }) => [
      id,
      status.status,
      readyText(status),
      status.pid === undefined ? '-' : String(status.pid),
      String(status.release),
      String(status.restarts),
      status.pid === undefined || status.start_time === undefined ? '-' : since(status.start_time),
      ...(hasSchedules ? [status.next_run === null ? '-' : `in ${until(status.next_run)}`] : []),
      commandText(status.command ?? spec.command),
    ]);
  return table(columns, rows, terminal.columns);
}

function serviceDetails({ id, spec, status, created_at }: Service, terminal: Terminal): string {
  const list = facts([
    ['pid', status.pid?.toString()],
    ['release', String(status.release)],
    ['instances', instancesText(status)],
    ['restarts', status.restarts === 0 ? undefined : String(status.restarts)],
    ['schedule', scheduleText(spec.schedule)],
    [
      'next run',
      status.next_run === null ? undefined : `${moment(status.next_run)} (in ${until(status.next_run)})`,
    ],
    [
      'depends on',
      Object.entries(spec.depends_on)
        .map(([id, condition]) => `${id} (${condition})`)
        .join(', ') || undefined,
    ],
    ['command', commandText(status.command ?? spec.command)],
    ['cwd', spec.cwd],
    [
      'user',
      spec.user === null ? undefined : [spec.user, spec.group].filter((name) => name !== null).join(':'),
    ],
    ['env', Object.keys(spec.env).join(', ') || undefined],
    ['env files', [spec.env_file].flat().join(', ') || undefined],
    ['stop', `${spec.stop.signal}, SIGKILL after ${spec.stop.timeout}`],
    ['wanted', status.wanted],
    ['created', moment(created_at)],
    ['ended', endText(status)],
    ['message', status.message],
    [
      'note',
      status.restart_required ? 'its spec has changed; davit restart makes that take effect' : undefined,
    ],
  ]);
  const up = status.pid !== undefined && status.start_time !== undefined;
  const age = up
    ? ` for ${since(String(status.start_time))}, since ${moment(String(status.start_time))}`
    : '';
  return `${terminal.style('bold', safeText(id))} is ${stateText(terminal, safeText(status.status))}${safeText(age)}\n${list}`;
}

/** Of a task that rests, that none is ready is as it should be. */
function readyText({ status, instances: { ready, wanted } }: ServiceStatus): string {
  return status === 'scheduled' || status === 'completed' ? '-' : `${ready}/${wanted}`;
}

/** Where there is one and it runs, that says nothing. */
function instancesText({ instances: { wanted, running, ready }, status }: ServiceStatus): string | undefined {
  if (wanted === 1 && (ready === 1 || status !== 'running')) return undefined;
  return `${running} of ${wanted} running, ${ready} ready`;
}

function scheduleText(schedule: Service['spec']['schedule']): string | undefined {
  if (schedule === null) return undefined;
  const { cron, time_zone, overlap } = schedule;
  return `${cron} (${time_zone ?? "the host's time zone"}), overlap: ${overlap}`;
}

function endText({ end_time, return_code, signal }: ServiceStatus): string | undefined {
  if (end_time === undefined) return undefined;
  const how = signal === undefined ? `with code ${return_code ?? 'unknown'}` : `by ${signal}`;
  return `${moment(end_time)} ${how}`;
}
