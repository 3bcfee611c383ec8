import type { operations as contract } from '../contract/operations.ts';
import { time as anyTime } from '../contract/scalars.ts';
import {
  parseSeriesKey,
  type SeriesKey,
  type SeriesName,
  type SeriesSubject,
  seriesKey,
  seriesKinds,
  seriesNames,
} from '../contract/series.ts';
import { DavitError } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import { closestName } from '../lib/validation.ts';
import type { History } from '../metrics/history/history.ts';
import type { Registry } from '../services/registry.ts';
import { allows, type Principal, refusal } from './permission.ts';
import type { Handler } from './route.ts';

type Contract = typeof contract;

/** How many points an answer may have. */
const mostPoints = 20_000;
/** Behind the name of a series: of every service. */
const everyService = ':*';

/** What the routes on the history of series call: a series of a service is for those who may read it, all others for those who may read everything. */
export function historyHandlers(history: History, registry: Registry) {
  /** Throws `invalid_request`, `forbidden` and `service_not_found`. */
  const keysOf = (part: string, principal: Principal): SeriesKey[] => {
    if (part.endsWith(everyService)) {
      const { name } = subjectOf(`${part.slice(0, -everyService.length)}:any`, part);
      return known(name).filter((key) => allows(principal, 'read', parseSeriesKey(key)?.service ?? null));
    }
    const { name, service } = subjectOf(part, part);
    if (!allows(principal, 'read', service)) throw refusal(principal, 'read', service);
    const key = seriesKey(name, service);
    // Of one that is gone something may be known still; of one that never was, somebody mistyped the name.
    if (service !== null && !history.has(key)) registry.get(service);
    return [key];
  };
  const known = (name: SeriesName) =>
    history.keys.filter((key): key is SeriesKey => key.startsWith(`${name}:`)).sort();

  return {
    query: async ({ query, principal }) => {
      const keys = [...new Set(query.series.split(',').flatMap((part) => keysOf(part.trim(), principal)))];
      const { agg = 'avg' } = query;
      const now = Date.now();
      const step = query.step === undefined ? null : milliseconds(query.step);
      const asked = { from: moment(query.from ?? '1h', now), to: moment(query.to ?? '0s', now), step };
      const steps = history.plan(asked);
      if (steps.count * Math.max(1, keys.length) > mostPoints) throw tooMany(steps.count, keys.length);
      const values = await history.read(keys, steps);
      return {
        from: new Date(steps.from).toISOString(),
        to: new Date(steps.to).toISOString(),
        step_seconds: steps.step / 1_000,
        agg,
        series: keys.map((series, index) => {
          const { name, service } = subjectOf(series, series);
          const { unit } = seriesKinds[name];
          return { series, name, service, unit, points: values[index]?.points(agg) ?? [] };
        }),
      };
    },

    catalogue: () => ({ series: seriesNames.map((name) => ({ name, ...seriesKinds[name] })) }),
  } satisfies {
    query: Handler<Contract['queryMetrics']>;
    catalogue: Handler<Contract['listSeries']>;
  };
}

/** Throws `invalid_request`, with what was probably meant. */
function subjectOf(text: string, asked: string): SeriesSubject {
  const subject = parseSeriesKey(text);
  if (subject !== null) return subject;
  const message = `series in the query: "${asked}" ${whatIsWrong(asked)}`;
  throw new DavitError('invalid_request', message, { details: [{ path: 'series', message }] });
}

function whatIsWrong(asked: string): string {
  const [name = ''] = asked.split(':');
  if (seriesNames.some((each) => each === name))
    return name.startsWith('service.')
      ? `needs a service, such as ${name}:web, or ${name}${everyService} for every one`
      : `is of no service: leave out what stands behind ${name}`;
  const meant = closestName(name, seriesNames);
  return meant === null
    ? 'is no series; GET /api/v1/metrics/series lists them'
    : `is no series; did you mean "${meant}"?`;
}

/** A time, or how long ago, in milliseconds since the epoch. Throws `invalid_request` where there is no such time. */
function moment(text: string, now: number): number {
  const time = text.endsWith('Z') ? Date.parse(text) : now - milliseconds(text);
  // Of a month that has no such day, the days that are too many would be counted into the next one.
  const isThere = !text.endsWith('Z') || anyTime.safeParse(text).success;
  if (Number.isNaN(time) || !isThere) throw new DavitError('invalid_request', `there is no time ${text}`);
  return Math.max(0, time);
}

function tooMany(count: number, series: number): DavitError {
  const message = `${series} series of ${count} points are more than the ${mostPoints} that an answer may have: ask for a longer step, less time or fewer series`;
  return new DavitError('invalid_request', message);
}
