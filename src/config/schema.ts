import { z } from 'zod';
import { duration, logLevel, size } from '../contract/scalars.ts';
import { portRange } from '../lib/port_range.ts';
import { accessFields } from './access.ts';
import { alertsField } from './alerts.ts';
import { consoleField } from './console.ts';
import { absoluteFile as folder, hostAndPort } from './fields.ts';
import { logForwardingField } from './log_forwarding.ts';
import { metricsField } from './metrics.ts';
import { routerField } from './router.ts';

const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable');

/** The agent's configuration. Defaults stand here and nowhere else, but for `data`, which depends on who runs it. */
export const configSchema = z.strictObject({
  listen: hostAndPort
    .default('127.0.0.1:8888')
    .describe('Where the API listens. Beyond loopback, set `tls` too.'),
  data: z.string().min(1).describe('The data directory.'),
  log_level: logLevel.default('info').describe("The agent's own log."),
  stop_services: z
    .boolean()
    .default(false)
    .describe(
      'Whether services end when the agent ends. false: they stay, and the next agent takes them up.',
    ),
  shutdown_timeout: duration
    .default('30s')
    .describe('How long running operations get to finish when the agent ends.'),
  cgroups: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe(
      'Whether each instance gets a control group of its own, which leaves nothing behind when it is stopped; `auto`: where the agent may make some.',
    ),
  pass_env: z
    .array(
      variableName.refine(
        (name) => !name.startsWith('DAVIT_'),
        "must not be one of the agent's own variables",
      ),
    )
    .default([])
    .describe("Variables of the agent's environment that services get besides PATH, LANG, LC_* and TZ."),
  port_range: z
    .string()
    .refine(isPortRange, 'must be the first and the last port, such as 20000-29999')
    .default('20000-29999')
    .describe('Where the ports of services with `port: auto` are chosen from.'),
  logs_max_size: size
    .nullable()
    .default(null)
    .describe(
      'How much output of all services together is kept; the oldest goes first. null: a tenth of the disk, at most 20GB.',
    ),
  declarations: folder
    .nullable()
    .default(null)
    .describe('A folder whose YAML files are declarations that are applied when they change. null: none.'),
  workspace: folder
    .nullable()
    .default(null)
    .describe(
      'A folder whose subfolders may each declare services, by a davit.yaml or by "davit" in a package.json. null: none.',
    ),
  declarations_prune: z
    .boolean()
    .default(false)
    .describe('Whether what those files declared is deleted when it is no longer there. false: it stays.'),
  body_limit: size.default('1MB').describe('The largest request body that is no artifact.'),
  artifacts: folder
    .nullable()
    .default(null)
    .describe(
      'Where the files of artifacts are unpacked, each service in a folder of its own. null: as root beside the data directory, in `<data>-artifacts`; else within it.',
    ),
  artifact_limit: size.default('1GB').describe('The largest artifact that may be uploaded.'),
  artifact_unpacked_limit: size
    .default('4GB')
    .describe('How much an artifact may come to when it is unpacked.'),
  artifacts_kept: z
    .int()
    .min(1)
    .max(100)
    .default(5)
    .describe(
      'How many artifacts of each service are kept beside those that run: so many that once ran well, and as many that never did.',
    ),
  require_sealed: z
    .boolean()
    .default(false)
    .describe(
      'Whether credentials without the scope admin may deploy sealed services alone: commands then come from admins and from files on this host.',
    ),
  router: routerField,
  metrics: metricsField,
  alerts: alertsField,
  log_forwarding: logForwardingField,
  console: consoleField,
  ...accessFields,
});

function isPortRange(text: string): boolean {
  try {
    portRange(text);
    return true;
  } catch {
    return false;
  }
}

/** The agent's configuration with every default filled in. */
export type Config = z.output<typeof configSchema>;
