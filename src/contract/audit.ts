import { z } from 'zod';
import { moment, wholeNumber } from './query.ts';
import { serviceId, time } from './scalars.ts';

/** `key:<id>` or `jwt:<issuer>#<subject>`, as it stands in the audit log and in events. */
export const actor = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[^\p{Cc}]+$/u, 'must be one line, such as key:4f8k2m9x1a');

export const auditOutcomes = ['ok', 'refused', 'failed'] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

/** What became of a call. Refused: nobody known, not allowed, or too often. */
export function auditOutcome({ http_status }: Pick<AuditRecord, 'http_status'>): AuditOutcome {
  if (http_status < 400) return 'ok';
  return http_status === 401 || http_status === 403 || http_status === 429 ? 'refused' : 'failed';
}

export const auditQuery = z.strictObject({
  actor: actor.optional().describe('Exactly this one; of a key, its id is enough.'),
  action: z
    .string()
    .max(2_000)
    .regex(/^[A-Za-z]+(,[A-Za-z]+)*$/, 'must be ids of operations with commas between them')
    .optional()
    .describe('The id of an operation, or several with commas between them.'),
  service: serviceId.optional(),
  outcome: z
    .enum(auditOutcomes)
    .optional()
    .describe('`refused`: not authenticated, not allowed or too often; `failed`: any other error.'),
  since: moment.optional(),
  until: moment.optional(),
  before: z
    .string()
    .regex(/^[0-9a-f]{16}\.\d{1,15}$/, 'must be a cursor that came as `next`')
    .optional()
    .describe('The `next` of an answer: the page before it.'),
  limit: wholeNumber(1, 1000).optional().describe('Default 100, the newest.'),
});

/** One line of the audit log. */
export const auditRecord = z
  .object({
    time,
    request_id: z.string(),
    actor: z.string().nullable().describe('`key:<id>` or `jwt:<issuer>#<subject>`; null: not authenticated.'),
    actor_name: z
      .string()
      .nullable()
      .default(null)
      .describe('For people: the name of the key, or the subject of the token.'),
    address: z.string(),
    action: z.string().describe('The operation id, such as deployService.'),
    service: z.string().nullable(),
    http_status: z.int(),
    code: z.string().nullable().describe('The error code, when it was refused or failed.'),
    trace_id: z
      .string()
      .nullable()
      .default(null)
      .describe('Of the W3C trace that the call named; null: of none.'),
  })
  .meta({ id: 'AuditRecord' });
export type AuditRecord = z.infer<typeof auditRecord>;

export const auditList = z
  .object({
    records: z.array(auditRecord),
    next: z
      .string()
      .nullable()
      .describe(
        'The cursor for `before` that gives the page before this one, which may be short, and even empty, while there are more: one call looks through 100,000 records at most. null: nothing older is kept.',
      ),
  })
  .meta({ id: 'AuditList' });
export type AuditList = z.infer<typeof auditList>;
