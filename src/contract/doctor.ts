import { z } from 'zod';

/** What one check of `davit doctor` found. */
export const finding = z
  .object({
    check: z.string().describe('What was looked at.'),
    state: z.enum(['ok', 'warning', 'problem']),
    message: z.string(),
    advice: z
      .string()
      .nullable()
      .describe('What to do about it; null: nothing is to be done, or the message says it.'),
  })
  .readonly()
  .meta({ id: 'Finding' });
export type Finding = z.infer<typeof finding>;

/** What `davit doctor --json` prints. */
export const diagnosis = z.object({
  healthy: z.boolean().describe('Whether there is no problem; warnings there may be.'),
  findings: z.array(finding),
});

export const doctorReport = diagnosis
  .extend({ took_ms: z.int().describe('How long the check took.') })
  .meta({ id: 'DoctorReport' });
export type DoctorReport = z.infer<typeof doctorReport>;
