import { z } from 'zod';
import { errorStatus } from './error_codes.ts';

/** Every error, whatever the route. */
export const errorAnswer = z
  .looseObject({
    error: z.string().describe('A sentence that says what was wrong and what would be right.'),
    code: z.enum(Object.keys(errorStatus) as [keyof typeof errorStatus]),
    request_id: z.string(),
    details: z
      .array(
        z.object({
          path: z.string(),
          message: z.string(),
          line: z.int().optional().describe('Of a file: where in it, from 1.'),
          column: z.int().optional(),
        }),
      )
      .optional(),
    return_code: z.int().nullable().optional().describe('How the process of a failed deploy ended.'),
    last_lines: z
      .array(z.string())
      .optional()
      .describe('The last lines that the process of a failed deploy wrote.'),
    restored: z
      .object({ release: z.int(), pid: z.int() })
      .nullable()
      .optional()
      .describe('The release that a failed deploy left running, or null when none ran before.'),
  })
  .meta({ id: 'Error' });
export type ErrorAnswer = z.infer<typeof errorAnswer>;
