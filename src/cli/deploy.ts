import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { dependencyCondition } from '../contract/policies.ts';
import { serviceId } from '../contract/scalars.ts';
import type { OperationResult } from '../contract/services.ts';
import type { SpecPatch } from '../contract/spec.ts';
import { DavitError } from '../lib/errors.ts';
import {
  durationArgument,
  listOption,
  serviceArgument,
  servicePath,
  signalArgument,
  sizeArgument,
  wholeNumber,
} from './arguments.ts';
import { artifactForm, type LocalArtifact, readArtifact } from './artifact.ts';
import type { AgentClient, Query } from './client.ts';
import type { Act, Run } from './command.ts';
import { readFields } from './fields_file.ts';
import { examples } from './help.ts';
import { operationText } from './operation.ts';
import type { Environment, Terminal } from './terminal.ts';

export interface DeployOptions {
  readonly command?: string;
  readonly cwd?: string;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly user?: string;
  readonly group?: string;
  readonly stopSignal?: string;
  readonly stopTimeout?: string;
  readonly minUptime?: string;
  readonly maxLogSize?: string;
  readonly port?: number | 'auto';
  readonly instances?: number;
  readonly healthHttp?: string;
  readonly restart?: string;
  readonly dependsOn?: readonly string[];
  readonly task?: boolean;
  readonly route?: readonly string[];
  readonly strategy?: string;
  readonly bake?: string;
  readonly schedule?: string;
  readonly timeZone?: string;
  readonly memory?: string;
  readonly cpu?: number;
  readonly runner?: string;
  readonly artifact?: string;
  readonly argument?: readonly string[];
  readonly file?: string;
  readonly unset?: readonly string[];
  readonly supersede?: boolean;
}

type Fields = Record<string, unknown>;

const fieldsOfSpec = 'fields of a spec, such as "command: node server.js"';

export function addDeploy(program: Command, act: Act): void {
  program
    .command('deploy')
    .description(
      'Make a new release of a service and replace what runs by it. What is not named keeps its value; a deploy that fails leaves what served before.',
    )
    .summary('Make a new release of a service and replace what runs by it.')
    .usage('<service> [options] -- <command...>')
    .argument('<service>', 'the service; it need not exist yet', serviceArgument)
    .argument('[words...]')
    .option('--command <line>', 'a command line for the shell, instead of a command after --')
    .option('--cwd <directory>', 'the working directory')
    .addOption(
      listOption('--env <name[=value]>', 'a variable; without a value, the one it has here; repeatable'),
    )
    .addOption(listOption('--env-file <file>', "a file of KEY=value lines on the agent's host; repeatable"))
    .option('--user <name>', 'name or number to run as')
    .option('--group <name>', "name or number; default: the user's own")
    .option('--port <port>', 'given to it as PORT: a number, or auto for a free one', portArgument)
    .option('--instances <number>', 'how many run of it (default: 1)', wholeNumber())
    .option('--health-http <path>', 'it is ready once a GET of this path on its port succeeds')
    .addOption(
      new Option('--restart <policy>', 'which ends are followed by a restart').choices([
        'always',
        'on_failure',
        'never',
      ]),
    )
    .addOption(
      listOption(
        '--depends-on <service[:condition]>',
        `what must be there first: ${dependencyCondition.options.join(', ')}; repeatable`,
      ),
    )
    .addOption(
      listOption(
        '--route <host/path>',
        'which requests to the router go to it: a host, a path, or both; repeatable',
      ),
    )
    .addOption(
      new Option('--strategy <strategy>', 'how it replaces what runs').choices([
        'rolling',
        'blue_green',
        'canary',
        'recreate',
      ]),
    )
    .option(
      '--bake <duration>',
      'how long it is compared with the release before, or manual (default: 10s)',
      bakeArgument,
    )
    .option('--task', 'it is to end, and has completed when it ends well')
    .option('--schedule <cron>', 'when it runs, such as "0 3 * * *"; makes it a task')
    .option('--time-zone <zone>', "that of the schedule (default: the host's)")
    .option('--memory <size>', 'how much its processes may hold together', sizeArgument)
    .option('--cpu <number>', 'how many cores they may use, such as 0.5', coresArgument)
    .addOption(
      new Option('--runner <runner>', 'what runs it: the agent, or a unit of systemd').choices([
        'direct',
        'systemd',
      ]),
    )
    .option('--stop-signal <signal>', 'what asks it to end (default: SIGTERM)', signalArgument)
    .option(
      '--stop-timeout <duration>',
      'how long that may take before SIGKILL (default: 5s)',
      durationArgument,
    )
    .option('--min-uptime <duration>', 'ending sooner fails the deploy (default: 1s)', durationArgument)
    .option('--max-log-size <size>', 'how much output is kept (default: 256MB)', sizeArgument)
    .option('--artifact <file>', 'a tar archive with the files that it runs (tar, tar.gz, tar.zst)')
    .addOption(listOption('--argument <name=value>', 'the value of a parameter that it has; repeatable'))
    .option('--file <file>', 'YAML or JSON with fields of the spec; - reads standard input')
    .addOption(listOption('--unset <field>', 'back to its default, such as user or env.DEBUG; repeatable'))
    .option('--supersede', 'in place of deploys of it that wait for their turn, or to be promoted')
    .addHelpText(
      'after',
      examples([
        'davit deploy web -- node server.js --port 3000',
        'davit deploy web --command "cd /opt/web && exec node server.js"',
        'davit deploy web --port auto --instances 3 --health-http /ok -- ./web',
        'davit deploy web --port auto --route web.example.org -- ./web',
        'davit deploy worker --depends-on db:healthy --memory 512MB -- ./worker',
        'davit deploy backup --schedule "0 3 * * *" --time-zone UTC -- ./backup',
        'davit deploy web --cwd /opt/web --user www --env PORT=3000 -- node server.js',
        'API_TOKEN=… davit deploy web --env API_TOKEN -- node server.js',
        'davit deploy web --artifact build.tar.gz --user www -- node server.js',
        'davit deploy web --artifact build.tar.gz --argument version=v1.4.2',
        'davit deploy web --file web.yaml',
      ]),
    )
    .action(act(deploy));
}

async function deploy(run: Run, options: DeployOptions, service: string, words: string[]): Promise<void> {
  const { agent, terminal, environment, rest, json } = run;
  if (words.length > 0) {
    throw new DavitError('usage', `put -- before the command: davit deploy ${service} -- ${words.join(' ')}`);
  }
  const client = agent();
  const file = options.file === undefined ? {} : await readFields(options.file, terminal, fieldsOfSpec);
  const patch = deployBody(options, rest, environment, client.target.isLocal);
  const path = servicePath(service, '/deploy');
  const body = merged(file, patch);
  const query = options.supersede ? { supersede: 'true' } : {};
  const result =
    options.artifact === undefined
      ? await client.post<OperationResult>(path, body, query)
      : await deployArtifact(client, path, query, await readArtifact(options.artifact), body, terminal);
  if (json) terminal.json(result);
  else terminal.print(operationText(result));
}

async function deployArtifact(
  client: AgentClient,
  path: string,
  query: Query,
  artifact: LocalArtifact,
  spec: Fields,
  terminal: Terminal,
): Promise<OperationResult> {
  const { sha256 } = artifact;
  try {
    return await client.upload<OperationResult>(
      path,
      { ...query, sha256 },
      artifactForm(artifact, spec, terminal),
    );
  } finally {
    terminal.progress(null);
  }
}

/**
 * What the flags ask for, as a patch of the spec.
 * @param isLocal whether the agent sees the same files, so that relative paths can be meant
 */
export function deployBody(
  options: DeployOptions,
  rest: readonly string[],
  environment: Environment,
  isLocal: boolean,
): SpecPatch {
  if (options.command !== undefined && rest.length > 0) {
    throw new DavitError('usage', 'give a command after -- or by --command, not both');
  }
  const path = (given: string) => (isLocal && !given.startsWith(`\${ARTIFACT}`) ? resolve(given) : given);
  const fields: Fields = {
    command: options.command ?? (rest.length > 0 ? rest : undefined),
    cwd: options.cwd === undefined ? undefined : path(options.cwd),
    env: options.env === undefined ? undefined : variables(options.env, environment),
    env_file: options.envFile?.map(path),
    user: account(options.user),
    group: account(options.group),
    stop: given({ signal: options.stopSignal, timeout: options.stopTimeout }),
    min_uptime: options.minUptime,
    logs: given({ max_size: options.maxLogSize }),
    port: options.port,
    instances: options.instances,
    readiness: options.healthHttp === undefined ? undefined : { type: 'http', path: options.healthHttp },
    restart: given({ policy: options.restart }),
    depends_on: options.dependsOn === undefined ? undefined : dependencies(options.dependsOn),
    type: options.task || options.schedule !== undefined ? 'task' : undefined,
    schedule: schedule(options),
    limits: given({ memory: options.memory, cpu: options.cpu }),
    runner: options.runner,
    routes: options.route?.map(route),
    rollout: given({ strategy: options.strategy, bake: options.bake }),
    arguments: options.argument === undefined ? undefined : values(options.argument),
  };
  return (options.unset ?? []).reduce(unset, given(fields) ?? {}) as SpecPatch;
}

/** What of the fields is given; undefined when nothing is. */
function given(fields: Fields): Fields | undefined {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return known.length === 0 ? undefined : Object.fromEntries(known);
}

function variables(pairs: readonly string[], environment: Environment): Record<string, string> {
  const entries = pairs.map((pair): [string, string] => {
    const at = pair.indexOf('=');
    if (at !== -1) return [pair.slice(0, at), pair.slice(at + 1)];
    const value = environment[pair];
    if (value !== undefined) return [pair, value];
    throw new DavitError(
      'usage',
      `--env ${pair}: there is no such variable here; give a value: --env ${pair}=…`,
    );
  });
  return Object.fromEntries(entries);
}

function values(pairs: readonly string[]): Record<string, string> {
  const entries = pairs.map((pair): [string, string] => {
    const at = pair.indexOf('=');
    if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
    throw new DavitError('usage', `--argument ${pair}: must be NAME=VALUE`);
  });
  return Object.fromEntries(entries);
}

function dependencies(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = '', condition = 'started', ...more] = pair.split(':');
      const isRight = serviceId.safeParse(name).success && dependencyCondition.safeParse(condition).success;
      if (isRight && more.length === 0) return [name, condition];
      const known = dependencyCondition.options.join(', ');
      throw new DavitError(
        'usage',
        `--depends-on ${pair}: must be SERVICE or SERVICE:CONDITION, of which there are ${known}`,
      );
    }),
  );
}

function schedule({ schedule: cron, timeZone }: DeployOptions): Fields | undefined {
  if (cron === undefined && timeZone !== undefined)
    throw new DavitError('usage', '--time-zone needs --schedule');
  return cron === undefined ? undefined : given({ cron, time_zone: timeZone });
}

/** `web.example.org`, `/api` or `web.example.org/api`. */
function route(text: string): Fields {
  const slash = text.indexOf('/');
  const [host, prefix] = slash === -1 ? [text, ''] : [text.slice(0, slash), text.slice(slash)];
  return { ...(host !== '' && { hosts: [host] }), ...(prefix !== '' && { path_prefix: prefix }) };
}

function bakeArgument(value: string): string {
  return value === 'manual' ? value : durationArgument(value);
}

function portArgument(value: string): number | 'auto' {
  if (value === 'auto') return value;
  if (/^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535) return Number(value);
  throw new InvalidArgumentError('must be a port from 1 to 65535, or auto');
}

function coresArgument(value: string): number {
  if (/^\d{1,4}(\.\d{1,3})?$/.test(value) && Number(value) >= 0.01) return Number(value);
  throw new InvalidArgumentError('must be a number of cores, such as 0.5 or 2');
}

function account(name: string | undefined): string | number | undefined {
  return name !== undefined && /^\d+$/.test(name) ? Number(name) : name;
}

function unset(body: Fields, field: string): Fields {
  const [first = '', ...rest] = field.split('.');
  if (rest.length === 0) return { ...body, [first]: null };
  const inner = body[first];
  return { ...body, [first]: unset(isFields(inner) ? inner : {}, rest.join('.')) };
}

/** `over` laid over `base`, key by key. */
function merged(base: Fields, over: Fields): Fields {
  const both = Object.entries(over).map(([key, value]) => {
    const below = base[key];
    return [key, isFields(value) && isFields(below) ? merged(below, value) : value];
  });
  return { ...base, ...Object.fromEntries(both) };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
