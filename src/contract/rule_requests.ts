import { z } from 'zod';
import { newRule, rule, ruleId } from './rules.ts';
import { serviceId } from './scalars.ts';

/** Of the rules API, or `<service>/<place of the route, from 1>`. */
const anyRuleId = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}(\/[1-9]\d{0,2})?$/,
    'must be the id of a rule; that of a route is <service>/<number>',
  );
export const rulePath = z.strictObject({ rule_id: anyRuleId });

export const createRule = newRule.meta({ id: 'CreateRule' });
export const replaceRule = newRule.omit({ id: true }).meta({ id: 'ReplaceRule' });

export const orderRules = z
  .strictObject({
    ids: z
      .array(ruleId)
      .min(2)
      .max(1_000)
      .refine((ids) => new Set(ids).size === ids.length, 'must not name a rule twice')
      .describe(
        'The first comes first. The last keeps the least priority that any of them has; each other one gets 10 more than the one after it.',
      ),
  })
  .meta({ id: 'OrderRules' });

export const testRule = z
  .strictObject({
    method: z
      .string()
      .regex(/^[A-Z][A-Z-]{0,31}$/, 'must be a method such as GET')
      .default('GET'),
    url: z
      .string()
      .min(1)
      .max(8_192)
      .describe('An http address, or a path where the header `host` says the rest.'),
    headers: z
      .record(
        z
          .string()
          .max(128)
          .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of a header'),
        z.string().max(8_192),
      )
      .refine((all) => Object.keys(all).length <= 100, 'must not hold more than 100')
      .default({}),
    client: z.union([z.ipv4(), z.ipv6()]).default('127.0.0.1').describe('The address of the client.'),
  })
  .meta({ id: 'TestRule' });
export type TestRule = z.infer<typeof testRule>;

export const ruleList = z
  .object({ rules: z.array(rule).describe('In the order in which they are looked at.') })
  .meta({ id: 'RuleList' });
export type RuleList = z.infer<typeof ruleList>;

export const deletedRule = z.object({ deleted: rule }).meta({ id: 'DeletedRule' });
export type DeletedRule = z.infer<typeof deletedRule>;

/** What would become of a request. */
export const ruleTest = z
  .object({
    rule: z.string().nullable().describe('The rule that decides; null: none fits, which is answered 404.'),
    kind: z.enum(['service', 'redirect', 'deny', 'answer', 'nowhere']),
    service: serviceId.nullable(),
    instance: z.int().nullable().describe('null: it goes to no service, or none takes requests.'),
    release: z.int().nullable(),
    path: z.string().nullable().describe('What the service is asked for, without the query.'),
    status: z.int().nullable().describe('What the router itself answers; null: the service does.'),
    message: z.string(),
    reasons: z.array(z.string()).describe('How that came to be, step by step.'),
    tried: z
      .array(z.object({ rule: z.string(), fits: z.boolean(), reason: z.string() }))
      .describe('The rules that were looked at, in order, the last one decides.'),
  })
  .meta({ id: 'RuleTest' });
export type RuleTest = z.infer<typeof ruleTest>;
