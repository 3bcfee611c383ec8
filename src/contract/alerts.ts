import { z } from 'zod';
import { wholeNumber } from './query.ts';
import { duration, serviceGlob, serviceId, time } from './scalars.ts';
import { seriesName } from './series.ts';

/** What an alert rule may wait for besides a series; each has a state that begins and ends. */
export const alertEvents = {
  service_failed: 'A service has failed and is not started again.',
  restart_loop: 'A service was started again at least `count` times within `window`.',
  unhealthy: 'A readiness or liveness probe of an instance fails.',
  deployment_failed: 'A deployment failed; over when the next one of the service succeeds.',
  deployment_rolled_back: 'A release was taken back because it did worse than the one before; over as above.',
  disk_low:
    'The disk of the data directory is nearly full: less than a tenth, or 2 GB where that is less, is free.',
  log_quota_reached: 'Output of a service was removed before its time, to make room.',
  agent_restarted: 'The agent was started again, though it had not been stopped; over after ten minutes.',
  certificate_expiring: 'A certificate of the API or the router ends within `within`.',
  router_missing: 'No router is connected although one is configured.',
  delivery_failing: 'Samples, log lines or notifications cannot be sent on.',
} as const;
export type AlertEvent = keyof typeof alertEvents;
export const alertEventNames = Object.keys(alertEvents) as [AlertEvent, ...AlertEvent[]];

const severities = ['critical', 'warning', 'info'] as const;
export const severity = z.enum(severities).meta({ id: 'Severity' });
export type Severity = z.infer<typeof severity>;

export const alertName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be 1 to 63 characters of a-z, 0-9, dot, underscore and hyphen');

const ruleFields = {
  event: z.enum(alertEventNames).optional().describe('What to wait for; this or `series`.'),
  series: seriesName.optional().describe('What to watch; this or `event`.'),
  above: z.number().optional().describe('It fires while the series is greater.'),
  below: z.number().optional().describe('It fires while the series is less.'),
  clear: z
    .number()
    .optional()
    .describe(
      'Hysteresis: it is over only when the series is back past this value. Default: the threshold itself.',
    ),
  for: duration.default('0s').describe('How long it must be so before it fires.'),
  keep_firing_for: duration.default('0s').describe('How long it must be over before it is resolved.'),
  count: z.int().min(2).max(1_000).default(3).describe('Of `restart_loop`.'),
  window: duration.default('5m').describe('Of `restart_loop`.'),
  within: duration.default('14d').describe('Of `certificate_expiring`.'),
  services: z
    .array(serviceGlob)
    .min(1)
    .max(100)
    .default(['*'])
    .describe('Of which services; says nothing for what concerns the host or the agent.'),
  severity: severity.default('warning'),
  notify: z
    .array(alertName)
    .max(20)
    .nullable()
    .default(null)
    .describe('Which notifiers are told. null: every one; an empty list: none.'),
  repeat: duration
    .nullable()
    .default(null)
    .describe('How often it is told again while it fires. null: as `alerts.repeat` says.'),
  summary: z.string().max(500).optional().describe('Told in place of the ready-made sentence.'),
  enabled: z.boolean().default(true),
};

interface Watched {
  readonly event?: AlertEvent | undefined;
  readonly series?: string | undefined;
  readonly above?: number | undefined;
  readonly below?: number | undefined;
  readonly clear?: number | undefined;
}

function checkRule(
  { event, series, above, below, clear }: Watched,
  context: { addIssue(issue: { code: 'custom'; path: (string | number)[]; message: string }): void },
): void {
  const complain = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  if ((event === undefined) === (series === undefined))
    complain('event', 'a rule needs either `event` or `series`');
  if (series !== undefined && (above === undefined) === (below === undefined))
    complain('above', 'a rule on a series needs either `above` or `below`');
  if (event !== undefined)
    for (const [field, value] of Object.entries({ above, below, clear }))
      if (value !== undefined) complain(field, 'belongs to a rule on a `series`');
  if (clear !== undefined && above !== undefined && clear > above)
    complain('clear', 'must not be greater than `above`');
  if (clear !== undefined && below !== undefined && clear < below)
    complain('clear', 'must not be less than `below`');
}

/** A rule as it is written down in the configuration or sent. */
export const alertRule = z
  .strictObject({ name: alertName, ...ruleFields })
  .superRefine(checkRule)
  .meta({ id: 'AlertRule' });
export type AlertRule = z.output<typeof alertRule>;

export const replaceAlertRule = z
  .strictObject(ruleFields)
  .superRefine(checkRule)
  .meta({ id: 'ReplaceAlertRule' });

export const shownAlertRule = z
  .object({
    name: alertName,
    ...ruleFields,
    origin: z
      .enum(['built_in', 'configuration', 'api'])
      .describe(
        'Only those of the API can be changed by it; a rule of the configuration takes the place of a built-in one of its name.',
      ),
  })
  .meta({ id: 'ShownAlertRule' });
export type ShownAlertRule = z.infer<typeof shownAlertRule>;

export const alertRuleList = z.object({ rules: z.array(shownAlertRule) }).meta({ id: 'AlertRuleList' });
export const deletedAlertRule = z.object({ deleted: shownAlertRule }).meta({ id: 'DeletedAlertRule' });
export type AlertRuleList = z.infer<typeof alertRuleList>;
export type DeletedAlertRule = z.infer<typeof deletedAlertRule>;
export const alertRulePath = z.strictObject({ rule_name: alertName });

const alertStates = ['pending', 'firing', 'resolved'] as const;

/** One thing that a rule found: the same rule and the same subject are the same alert until it is resolved. */
export const alert = z
  .object({
    id: z.string(),
    rule: alertName,
    severity,
    state: z.enum(alertStates),
    service: serviceId.nullable().describe('null: it concerns the host or the agent.'),
    instance: z.int().nullable(),
    subject: z
      .string()
      .nullable()
      .describe('What else tells it from others of its rule: a certificate, a notifier.'),
    summary: z.string(),
    value: z.number().nullable().describe('Of the series, when it was looked at last.'),
    started_at: time.describe('Since when it is so.'),
    fired_at: time.nullable(),
    resolved_at: time.nullable(),
    event: z.int().nullable().describe('The event that led to it.'),
    trace_id: z.string().nullable().describe('Of the W3C trace in which it came about.'),
    silenced_by: z.string().nullable().describe('The silence that keeps it from being told.'),
    inhibited_by: z
      .string()
      .nullable()
      .describe('The alert that explains it: of a service on which this one depends.'),
    notified_at: time.nullable(),
  })
  .meta({ id: 'Alert' });
export type Alert = z.infer<typeof alert>;

/** An alert with what was known when it began to fire. Secrets are taken out already. */
export const alertInFull = alert
  .extend({
    why: z.array(z.string()).describe('What led to it, newest first, as `davit why` tells it.'),
    last_lines: z.array(z.string()).describe('The last lines that the service wrote, oldest first.'),
  })
  .meta({ id: 'AlertInFull' });
export type AlertInFull = z.infer<typeof alertInFull>;

/** Of an alert or a silence; made by the agent. */
const madeId = z.string().regex(/^[a-z0-9]{1,64}$/, 'must be an id as it is listed');

/** A place in what is over: when that was, in milliseconds since the epoch, and the id. */
export const alertCursor = z
  .string()
  .regex(/^\d{1,16}\.[a-z0-9]{1,64}$/, 'must be a cursor that came as `next`');

export const alertsQuery = z.strictObject({
  state: z.enum(alertStates).optional().describe('Default: pending and firing.'),
  service: serviceId.optional(),
  rule: alertName.optional(),
  before: alertCursor.optional().describe('The `next` of an answer: the page before it. Of `resolved` only.'),
  limit: wholeNumber(1, 1_000).optional().describe('Default 100, the newest.'),
});
export const alertList = z
  .object({
    alerts: z.array(alert),
    next: alertCursor
      .nullable()
      .describe(
        'Of `resolved`: the cursor for `before` that gives the page before this one. null: nothing older is kept.',
      ),
  })
  .meta({ id: 'AlertList' });
export type AlertList = z.infer<typeof alertList>;
export const alertPath = z.strictObject({ alert_id: madeId });

/** Alerts that fit are found, but not told, until it ends. */
export const newSilence = z
  .strictObject({
    rule: z
      .string()
      .max(63)
      .regex(/^[a-z0-9*][a-z0-9._*-]*$/, 'must be the name of a rule, in which * stands for any characters')
      .default('*'),
    service: serviceGlob.nullable().default(null).describe('null: any, and what concerns no service.'),
    duration: duration.optional().describe('How long; this or `ends_at`.'),
    ends_at: time.optional(),
    comment: z.string().max(500).default(''),
  })
  .refine(({ duration, ends_at }) => (duration === undefined) !== (ends_at === undefined), {
    path: ['duration'],
    message: 'a silence needs an end: either `duration` or `ends_at`',
  })
  .meta({ id: 'NewSilence' });
export type NewSilence = z.output<typeof newSilence>;

export const silence = z
  .object({
    id: z.string(),
    rule: z.string(),
    service: z.string().nullable(),
    starts_at: time,
    ends_at: time,
    comment: z.string(),
    created_by: z.string(),
  })
  .meta({ id: 'Silence' });
export type Silence = z.infer<typeof silence>;
export const silenceList = z.object({ silences: z.array(silence) }).meta({ id: 'SilenceList' });
export type SilenceList = z.infer<typeof silenceList>;
export const silencePath = z.strictObject({ silence_id: madeId });

/** What a notifier is given: alerts of one group that began, go on or are over. Secrets are taken out already. */
export const notification = z
  .object({
    id: z.string().describe('The same when it is sent again, so that a receiver can tell.'),
    time,
    status: z.enum(['firing', 'resolved', 'test']).describe('`firing` while any of them fires.'),
    agent: z.object({ hostname: z.string(), version: z.string(), url: z.string() }),
    group: z.object({ key: z.string(), rule: alertName, service: serviceId.nullable() }),
    title: z.string().describe('One line for people.'),
    alerts: z.array(alertInFull),
  })
  .meta({ id: 'Notification' });
export type Notification = z.infer<typeof notification>;
