import { Cron } from 'croner';
import { errorMessage } from './errors.ts';
import { closestName } from './validation.ts';

/** When something is due: a cron expression in a time zone; null: that of the host. */
export interface CronTime {
  readonly cron: string;
  readonly time_zone: string | null;
}

/** Which of the two is wrong, and what about it. */
export interface CronProblem {
  readonly field: keyof CronTime;
  readonly message: string;
}

/** What is wrong with a cron expression or its time zone, or null. An expression that is never due is wrong, too. */
export function whatIsWrongWith(time: CronTime): CronProblem | null {
  const zone = time.time_zone === null ? null : whatIsWrongWithZone(time.time_zone);
  if (zone !== null) return { field: 'time_zone', message: zone };
  const fields = time.cron.trim().split(/\s+/).length;
  if (!time.cron.startsWith('@') && fields !== 5 && fields !== 6)
    return { field: 'cron', message: `must have five or six fields, not ${fields}; ${form}` };
  try {
    if (parse(time).nextRun() !== null) return null;
    return { field: 'cron', message: 'is never due: no month has such a day' };
  } catch (error) {
    return { field: 'cron', message: plainly(errorMessage(error)) };
  }
}

/**
 * The first time after `moment` at which it is due; null when it never is.
 *
 * Where clocks are set forward, a fixed time that does not exist is due right after the gap; where they are set back, a
 * fixed time is due once, the first time. Fixed is what has no `*` and no step in seconds, minutes and hours; anything
 * else follows the clock as it shows: nothing in the gap, and the repeated hour twice.
 */
export function nextTime(time: CronTime, moment: Date): Date | null {
  return parse(time).nextRun(moment);
}

function parse({ cron, time_zone }: CronTime): Cron {
  return new Cron(cron, {
    paused: true,
    mode: '5-or-6-parts',
    fixedTimeRule: 'no-wildcard',
    ...(time_zone !== null && { timezone: time_zone }),
  });
}

function whatIsWrongWithZone(name: string): string | null {
  try {
    if (name !== '') new Intl.DateTimeFormat('en', { timeZone: name });
    else return 'must not be empty; leave it out for that of the host';
    return null;
  } catch {
    const meant = closestName(name, Intl.supportedValuesOf('timeZone'));
    return `is not a time zone, such as Europe/Berlin${meant === null ? '' : `; did you mean "${meant}"?`}`;
  }
}

const form = 'five such as "0 3 * * *", six with seconds first, or @daily and the like';

/** The library's sentences, which speak of its own configuration, made those of whoever wrote the expression. */
function plainly(message: string): string {
  const own = message.replace(/^Cron\w*: /, '');
  if (own.startsWith('invalid configuration format')) return `is not one of those that begin with @; ${form}`;
  if (own.startsWith('@reboot'))
    return `cannot be @reboot: a service without a schedule starts with the host`;
  const entry = /^configuration entry (\d+) /.exec(own)?.[1];
  if (entry !== undefined) return `has something in field ${entry} that cannot stand there; ${form}`;
  return `is no cron expression: ${own.charAt(0).toLowerCase()}${own.slice(1)}; ${form}`;
}
