import { z } from 'zod';

/** `500ms`, `5s`, `2m`, `1h`, `7d`; a bare number is refused. */
export const duration = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,3})?(ms|s|m|h|d)$/, {
    error: 'must be a duration with a unit, such as 500ms, 5s or 2m',
    // What is asked of a duration beyond its form can then take the form for granted.
    abort: true,
  })
  .meta({ examples: ['5s'] });

/** `512KB`, `10MB` (10^6), `10MiB` (2^20); a bare number is refused. */
export const size = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,3})?(B|KB|MB|GB|KiB|MiB|GiB)$/, 'must be a size with a unit, such as 512KB or 10MB')
  .meta({ examples: ['10MB'] });

/** RFC 3339 in UTC. */
export const time = z.iso.datetime().meta({ examples: ['2026-01-31T12:00:00.000Z'] });

/** The only place where the form of a service id is set. */
export const serviceIdPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

export const serviceId = z
  .string()
  .regex(
    serviceIdPattern,
    'must be 1 to 63 characters of a-z, 0-9, dot, underscore and hyphen, and start with a letter or digit',
  )
  .meta({ id: 'ServiceId', examples: ['web'] });

/** The form of the id of an instance: which agent it is of, and a UUID. */
export const instanceIdPattern = /^[0-9a-f]{8}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A service id in which `*` stands for any run of characters. */
export const serviceGlob = z
  .string()
  .regex(/^[a-z0-9*][a-z0-9._*-]{0,62}$/, 'must be a service id, in which * stands for any characters')
  .meta({ examples: ['web', 'team-a-*'] });

export const signalNames = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGABRT',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
  'SIGPIPE',
  'SIGALRM',
  'SIGTERM',
  'SIGCONT',
  'SIGSTOP',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGWINCH',
] as const;

export const signalName = z.enum(signalNames);

/** A credential's reach, from least to most; each includes those before it. */
export const scopes = ['metrics', 'read', 'operate', 'deploy', 'admin'] as const;
export const scope = z.enum(scopes).meta({ id: 'Scope' });
export type Scope = z.infer<typeof scope>;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export const logLevel = z.enum(logLevels).meta({ id: 'LogLevel' });
export type LogLevel = z.infer<typeof logLevel>;
