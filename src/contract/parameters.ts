import { z } from 'zod';
import { pattern } from './text.ts';

/** The longest value that a parameter may ever have, in characters. */
const longestValue = 4096;

const parameterName = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]{0,62}$/,
    'must be lower-case letters, digits and underscores, and start with a letter',
  );

const parameterValue = z.union([
  z
    .string()
    .max(longestValue)
    .refine((text) => !text.includes('\0'), 'must not hold a NUL character'),
  z.int(),
  z.boolean(),
]);
export type ParameterValue = z.infer<typeof parameterValue>;

/** What a deploy may choose of a command that it does not choose. */
export const parameter = z.strictObject({
  type: z
    .enum(['string', 'integer', 'boolean', 'enum'])
    .default('string')
    .describe('What it may be; `enum`: one of `values`.'),
  values: z
    .array(z.string().min(1).max(longestValue))
    .min(1)
    .max(100)
    .nullable()
    .default(null)
    .describe('For `enum`: what it may be.'),
  pattern: pattern
    .nullable()
    .default(null)
    .describe(
      'For `string`: a regular expression (RE2) that the whole value must match. null: any text of one line that does not begin with a hyphen.',
    ),
  max_length: z.int().min(1).max(longestValue).default(256).describe('Of the value, in characters.'),
  required: z.boolean().default(false).describe('Whether nothing starts before it has a value.'),
  default: parameterValue.nullable().default(null).describe('Its value where none is given. null: none.'),
  description: z.string().max(1000).default('').describe('For people.'),
});
export type Parameter = z.infer<typeof parameter>;

const mostParameters = 100;
const notTooMany = (all: object) => Object.keys(all).length <= mostParameters;

export const parameters = z
  .record(parameterName, parameter)
  .refine(notTooMany, `must not name more than ${mostParameters} parameters`);

export const parameterValues = z
  .record(parameterName, parameterValue)
  .refine(notTooMany, `must not hold more than ${mostParameters} values`);
