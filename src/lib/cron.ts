import { Cron } from 'croner';

/** When something is due: a cron expression in a time zone; null: that of the host. */
export interface CronTime {
  readonly cron: string;
  readonly time_zone: string | null;
}

/** What is wrong with a cron expression or its time zone, or null. */
export function whatIsWrongWith(time: CronTime): string | null {
  try {
    parse(time).nextRun();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
  }
}

/** The first time after `moment` at which it is due; null when it never is. */
export function nextTime(time: CronTime, moment: Date): Date | null {
  return parse(time).nextRun(moment);
}

function parse({ cron, time_zone }: CronTime): Cron {
  return new Cron(cron, { paused: true, ...(time_zone !== null && { timezone: time_zone }) });
}
