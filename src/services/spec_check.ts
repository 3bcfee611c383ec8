import type { Probe } from '../contract/probe.ts';
import type { Spec } from '../contract/spec.ts';
import { whatIsWrongWith } from '../lib/cron.ts';
import { DavitError, type ErrorDetail } from '../lib/errors.ts';
import { matchProblems, patternProblem } from './match_check.ts';
import { parameterProblems } from './parameters.ts';

/** What is wrong with a spec that its schema cannot tell. */
export function specProblems(spec: Spec): ErrorDetail[] {
  return [
    ...scheduleProblems(spec),
    ...patternProblems(spec),
    ...parameterProblems(spec),
    ...spec.routes.flatMap((route, index) => matchProblems(`routes.${index}`, route)),
  ];
}

/**
 * Checks what only a library can: cron expressions, time zones, regular expressions, networks.
 * Throws `invalid_request` whose `details` name every place that is wrong.
 */
export function checkSpec(spec: Spec): void {
  const details = specProblems(spec);
  const [first] = details;
  if (first === undefined) return;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  throw new DavitError('invalid_request', `${first.path} in the service: ${first.message}${more}`, {
    details,
  });
}

function scheduleProblems({ schedule }: Spec): ErrorDetail[] {
  const problem = schedule === null ? null : whatIsWrongWith(schedule);
  return problem === null ? [] : [{ path: `schedule.${problem.field}`, message: problem.message }];
}

function patternProblems({ ready_log, readiness, liveness }: Spec): ErrorDetail[] {
  return [
    ...patternProblem('ready_log', ready_log),
    ...probePatternProblems('readiness', readiness),
    ...probePatternProblems('liveness', liveness),
  ];
}

function probePatternProblems(name: string, probe: Probe | null): ErrorDetail[] {
  if (probe?.type === 'http') return patternProblem(`${name}.body`, probe.body);
  if (probe?.type === 'websocket') return patternProblem(`${name}.expect`, probe.expect);
  return [];
}
