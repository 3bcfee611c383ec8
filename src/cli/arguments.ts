import { InvalidArgumentError, Option } from 'commander';
import { alertCursor, alertName, alertPath, silencePath } from '../contract/alerts.ts';
import { configName } from '../contract/config_file.ts';
import { keyPath } from '../contract/keys.ts';
import { orphanPath } from '../contract/processes.ts';
import { rulePath } from '../contract/rule_requests.ts';
import {
  duration,
  serviceGlob,
  serviceId,
  serviceIdPattern,
  signalNames,
  size,
} from '../contract/scalars.ts';
import { connectionId } from '../contract/traffic.ts';
import { closestName } from '../lib/validation.ts';

/** The id of a service. It becomes part of a path, so that nothing else may pass. */
export function serviceArgument(value: string): string {
  return checked(serviceId, value);
}

/** One id more of several. */
export function serviceArguments(value: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), serviceArgument(value)];
}

/** One more of the services whose logs are wanted: an id, or a glob. */
export function logServices(value: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), checked(value.includes('*') ? serviceGlob : serviceId, value)];
}

export function serviceGlobs(value: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), checked(serviceGlob, value)];
}

export function serviceGlobArgument(value: string): string {
  return checked(serviceGlob, value);
}

/** The id of an alert, which becomes part of a path too. */
export function alertArgument(value: string): string {
  return checked(alertPath.shape.alert_id, value);
}

/** The name of an alert rule or a notifier, which becomes part of a path too. */
export function alertCursorArgument(value: string): string {
  return checked(alertCursor, value);
}

export function alertNameArgument(value: string): string {
  return checked(alertName, value);
}

/** The id of a silence, which becomes part of a path too. */
export function silenceArgument(value: string): string {
  return checked(silencePath.shape.silence_id, value);
}

/** The id of a key, which becomes part of a path too. */
export function keyArgument(value: string): string {
  return checked(keyPath.shape.key_id, value);
}

/** The name of a configuration file, which becomes part of a path too. */
export function configArgument(value: string): string {
  return checked(configName, value);
}

/** The id of an instance, which becomes part of a path too. */
export function instanceArgument(value: string): string {
  return checked(orphanPath.shape.instance_id, value);
}

/** The id of a rule, which becomes part of a path too. */
export function ruleArgument(value: string): string {
  return checked(rulePath.shape.rule_id, value);
}

/** One id of a rule more of several. */
export function ruleArguments(value: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), ruleArgument(value)];
}

/** The id of a connection, which becomes part of a path too. */
/** One id more of several. */
export function connectionArguments(value: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), checked(connectionId, value)];
}

export function durationArgument(value: string): string {
  return checked(duration, value);
}

export function sizeArgument(value: string): string {
  return checked(size, value);
}

/** A whole number, at least 1 unless another least is named. */
export function wholeNumber(least = 1): (value: string) => number {
  return (value) => {
    if (/^\d{1,15}$/.test(value) && Number(value) >= least) return Number(value);
    throw new InvalidArgumentError(`must be a whole number, at least ${least}`);
  };
}

/** A signal by any of its usual names: SIGHUP, HUP, hup. */
export function signalArgument(value: string): string {
  const name = `SIG${value.toUpperCase().replace(/^SIG/, '')}`;
  if (signalNames.some((known) => known === name)) return name;
  const meant = closestName(name, signalNames);
  throw new InvalidArgumentError(
    meant === null ? `known are ${signalNames.join(', ')}` : `did you mean ${meant}?`,
  );
}

/** A moment as the API takes it: a duration ago, or a time, which counts as local when it names no zone. */
export function momentArgument(value: string): string {
  if (duration.safeParse(value).success) return value;
  const time = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(value)
    ? Date.parse(/^[\d-]+$/.test(value) ? `${value}T00:00` : value.replace(' ', 'T'))
    : Number.NaN;
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new InvalidArgumentError(
    'must be like 15m (ago), 2026-01-31, "2026-01-31 12:00" or 2026-01-31T12:00:00Z',
  );
}

/** An option that may be given several times, or with several values after commas. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, earlier: string[] | undefined) => [
    ...(earlier ?? []),
    value,
  ]);
}

/** The path of the API for a service. */
export function servicePath(service: string, rest = ''): string {
  // Checked once more here, for what is not an id could lead to another route.
  if (!serviceIdPattern.test(service)) throw new TypeError(`"${service}" is no service id`);
  return `/api/v1/services/${service}${rest}`;
}

interface Schema {
  safeParse(value: unknown): {
    success: boolean;
    error?: { issues: readonly { message: string }[] } | undefined;
  };
}

function checked(schema: Schema, value: string): string {
  const { success, error } = schema.safeParse(value);
  if (success) return value;
  throw new InvalidArgumentError(error?.issues[0]?.message ?? 'is not valid');
}
