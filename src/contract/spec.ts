import { z } from 'zod';
import { artifactReference } from './artifacts.ts';
import { routing } from './balancing.ts';
import { configFiles } from './config_file.ts';
import { type MergePatch, mergePatchOf } from './merge_patch.ts';
import { parameters, parameterValues } from './parameters.ts';
import { dependencies, limits, restart, schedule } from './policies.ts';
import { probe } from './probe.ts';
import { rollout } from './rollout.ts';
import { route, tags } from './rules.ts';
import { duration, signalName, size } from './scalars.ts';
import { absolutePath, argument, command, pattern } from './text.ts';

export { type Command, command } from './text.ts';

const environmentName = z
  .string()
  .max(256)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and underscores, and not start with a digit');

/** What stands in an answer in place of a value of `env`. */
export const hiddenValue = '***';

const environmentValue = argument.refine((value) => value !== hiddenValue, {
  message: `"${hiddenValue}" is what answers show in place of a value; leave the variable out to keep its value`,
});

const account = z
  .union([
    z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\$?$/, 'must be the name of an account'),
    z.int().min(0).max(4_294_967_294),
  ])
  .nullable();

const artifactPlace = `\${ARTIFACT}`;

const workingDirectory = z.union([
  absolutePath,
  z
    .string()
    .max(4096)
    .refine(
      (text) => text === artifactPlace || text.startsWith(`${artifactPlace}/`),
      `must be an absolute path, or begin with ${artifactPlace}`,
    )
    .refine((text) => !text.split('/').includes('..'), 'must not hold ".."')
    .refine((text) => !text.includes('\0'), 'must not hold a NUL character'),
]);

const environmentFiles = z.union([absolutePath, z.array(absolutePath).max(16)]);

const stop = z.strictObject({
  signal: signalName.default('SIGTERM').describe('The signal that asks the service to end.'),
  timeout: duration.default('5s').describe('How long it may take before SIGKILL.'),
});

const logs = z.strictObject({
  max_size: size
    .default('256MB')
    .describe('How much output is kept on disk, both streams and all runs together; the oldest goes first.'),
  max_age: duration
    .nullable()
    .default(null)
    .describe('What was written longer ago goes. null: age does not matter.'),
  max_releases: z
    .int()
    .min(1)
    .max(1e6)
    .nullable()
    .default(null)
    .describe('Of how many releases output is kept, those that were started last. null: of all.'),
  compress: z
    .boolean()
    .default(true)
    .describe('Whether the output of a run is compressed (zstd) once it has ended.'),
});

/** What a service is. The defaults stand here, and nowhere else. */
const declaredSpec = z.strictObject({
  command: command.describe(
    'A string runs as `/bin/sh -c` (`cmd.exe` on Windows); a list runs without a shell. Placeholders such as the one of the port are filled in.',
  ),
  type: z
    .enum(['service', 'task'])
    .default('service')
    .describe('A service is to run always; a task is to end, and has completed when it ends well.'),
  cwd: workingDirectory
    .default('/')
    .describe(
      `The working directory; \`\${ARTIFACT}\` and what stands below it is that of the artifact, and so is / where there is one.`,
    ),
  env: z
    .record(environmentName, environmentValue)
    .refine((env) => Object.keys(env).length <= 1024, 'must not hold more than 1024 variables')
    .default({})
    .describe('Environment variables. Their values are never shown again and never logged.'),
  env_file: environmentFiles
    .default([])
    .describe(
      'One file or a list of files of KEY=value lines, read at each start; later ones win, and `env` wins over all.',
    ),
  user: account
    .default(null)
    .describe('Name or number to run as; only root may set another. null: as the agent.'),
  group: account.default(null).describe("Name or number. null: the user's own group."),
  instances: z
    .int()
    .min(1)
    .max(200)
    .default(1)
    .describe('How many run of it, each with its own port and log.'),
  port: z
    .union([z.literal('auto'), z.int().min(1).max(65_535)])
    .nullable()
    .default(null)
    .describe(
      'Given to the process as `PORT`. A number is that of the first instance, the others have those that follow; `auto`: a free one of the range of the agent. null: none.',
    ),
  runner: z
    .enum(['direct', 'systemd'])
    .default('direct')
    .describe('`systemd`: each instance is a transient unit of the system.'),
  min_uptime: duration
    .default('1s')
    .describe(
      'A process that ends sooner fails the deploy. `0s` answers as soon as the process has been started.',
    ),
  ready_log: pattern
    .nullable()
    .default(null)
    .describe(
      'A regular expression (RE2): an instance is ready only once a line of its output matches. null: no such line.',
    ),
  readiness: probe
    .nullable()
    .default(null)
    .describe('Whether connections may go to an instance. null: as soon as it is up.'),
  liveness: probe
    .nullable()
    .default(null)
    .describe('Whether an instance must be restarted. null: only when it ends.'),
  restart: restart.prefault({}),
  success_exit_codes: z
    .array(z.int().min(0).max(255))
    .min(1)
    .max(256)
    .default([0])
    .describe('Exit codes that are no failure.'),
  schedule: schedule.default(null).describe('When a task runs. null: when it is started.'),
  depends_on: dependencies
    .default({})
    .describe('Services that must be there first, and how far: the service starts only then.'),
  on_dependency_failure: z
    .enum(['wait', 'stop', 'restart', 'ignore'])
    .default('wait')
    .describe(
      'When one of them is no longer there: `wait`: what runs stays, a start waits; `stop`: it ends, and starts once that is back; `restart`: it stays, and is restarted once that is back; `ignore`: nothing.',
    ),
  stop: stop.prefault({}),
  limits: limits.prefault({}),
  configs: configFiles.default([]).describe('Configuration files that the agent may read and replace.'),
  logs: logs.prefault({}),
  rollout: rollout.prefault({}),
  tags: tags
    .default([])
    .describe(
      'By which requests may choose among instances; each also has `release:<n>` and `instance:<n>`.',
    ),
  routes: z
    .array(route)
    .max(100)
    .default([])
    .describe('Which requests to the router go to the service. They hold for all of its instances.'),
  routing: routing.prefault({}),
  artifact: artifactReference
    .nullable()
    .default(null)
    .describe('The upload whose files the service runs; an upload with the deploy sets it. null: none.'),
  sealed: z
    .boolean()
    .default(false)
    .describe(
      'Whether a deploy may change nothing but the artifact and the arguments. Only an admin, and files on the host of the agent, seal and unseal.',
    ),
  parameters: parameters
    .default({})
    .describe('What a deploy may choose, and what that may be; each process gets it as `PARAMETER_<NAME>`.'),
  arguments: parameterValues.default({}).describe('The values of parameters. They are shown to everybody.'),
});

/** Fields whose value a patch replaces as it stands. */
export const replacedWhole: ReadonlySet<string> = new Set([
  'readiness',
  'liveness',
  'schedule',
  'affinity',
  'artifact',
]);

/** What a service is, with every default filled in, and what does not fit together refused. */
export const spec = declaredSpec.superRefine(refuseContradictions).meta({ id: 'Spec' });
export type Spec = z.infer<typeof spec>;

type Complain = (path: readonly (string | number)[], message: string) => void;

function refuseContradictions(given: z.infer<typeof declaredSpec>, context: z.RefinementCtx): void {
  const complain: Complain = (path, message) =>
    context.addIssue({ code: 'custom', path: [...path], message });
  const { type, schedule, instances, port, readiness, liveness, routes, rollout } = given;
  if (schedule !== null && type !== 'task') complain(['schedule'], 'needs "type: task"');
  if (schedule !== null && instances > 1) complain(['instances'], 'must be 1 where there is a schedule');
  if (type === 'task' && given.restart.policy === 'always')
    complain(['restart', 'policy'], 'must be on_failure or never for a task: it is to end');
  if (typeof port === 'number' && port + instances - 1 > 65_535)
    complain(['port'], `must leave room for ${instances} instances: the last port is 65535`);
  if (routes.length > 0 && port === null) complain(['port'], 'is missing: the service has routes');
  if (routes.length > 0 && type === 'task') complain(['routes'], 'must not stand with "type: task"');
  const { strategy } = rollout;
  if (strategy !== null && strategy !== 'recreate' && type === 'task')
    complain(['rollout', 'strategy'], 'must be recreate for a task');
  if ((strategy === 'blue_green' || strategy === 'canary') && typeof port === 'number')
    complain(['rollout', 'strategy'], `needs "port: auto": old and new instances run at the same time`);
  for (const [name, probe] of Object.entries({ readiness, liveness })) {
    if (probe !== null && 'port' in probe && probe.port === null && port === null)
      complain([name, 'port'], 'is missing: the service has no port of its own');
  }
}

/** A spec as it is shown: each value of `env` hidden. */
export const shownSpec = declaredSpec
  .extend({ env: z.record(environmentName, z.literal(hiddenValue)) })
  .meta({ id: 'ShownSpec' });
export type ShownSpec = z.infer<typeof shownSpec>;

/** The fields of a spec with what each may hold and its default, to build other forms of it upon. */
export const specFields = declaredSpec.shape;

/**
 * A change of a spec, as a JSON merge patch (RFC 7396): a field left out keeps its value, null sets it back to its default,
 * and objects are merged key by key; a probe or a schedule is replaced as it stands.
 */
export type SpecPatch = Omit<MergePatch<Spec>, Replaced> & {
  readonly [Key in Replaced]?: z.input<(typeof declaredSpec.shape)[Key]> | undefined;
};
type Replaced = 'readiness' | 'liveness' | 'schedule' | 'artifact';
export const specPatch = (mergePatchOf(declaredSpec, replacedWhole) as unknown as z.ZodType<SpecPatch>).meta({
  id: 'SpecPatch',
});
