import { z } from 'zod';
import { serviceId } from './scalars.ts';
import { pattern } from './text.ts';

/** The form of a tag, such as `gpu`, `region:eu` or, of every instance, `release:8` and `instance:2`. */
const tag = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._:-]{0,62}$/,
    'must be 1 to 63 characters of a-z, 0-9, dot, underscore, colon, hyphen',
  );

export const tags = z.array(tag).max(32);

const hostPattern = z
  .string()
  .max(253)
  .regex(
    /^(\*|(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\])$/,
    'must be a host name in lower case without a port, such as example.org or *.example.org',
  );

/** What stands in a request line: begins with a slash, and holds neither a query nor what must be encoded. */
const path = z
  .string()
  .max(2048)
  .regex(/^\/[^\s?#\p{Cc}]*$/u, 'must begin with / and hold no query');

const headerName = z
  .string()
  .max(128)
  .regex(/^[a-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of a header in lower case');

const valueText = z.string().max(2048);
/** What a value must be: exactly this, or what matches an expression, or just there (or absent). */
export const valueCondition = z.union([
  valueText,
  z.strictObject({ regex: pattern }),
  z.strictObject({ present: z.boolean() }),
]);
export type ValueCondition = z.infer<typeof valueCondition>;

const conditions = (name: z.ZodString) =>
  z.record(name, valueCondition).refine((all) => Object.keys(all).length <= 32, 'must not name more than 32');

const network = z
  .string()
  .max(64)
  .regex(
    /^[0-9A-Fa-f.:]+(\/\d{1,3})?$/,
    'must be a network such as 10.0.0.0/8 or 2001:db8::/32, or an address',
  );

/** What a request must be. What is left out does not matter. */
const matchFields = {
  hosts: z
    .array(hostPattern)
    .max(100)
    .default([])
    .describe('One of these; `*.example.org` stands for every name below it, at any depth. Empty: any.'),
  path: path.nullable().default(null).describe('Exactly this path.'),
  path_prefix: path
    .nullable()
    .default(null)
    .describe('This path and all below it: `/api` takes `/api` and `/api/users`, not `/apis`.'),
  path_regex: pattern
    .nullable()
    .default(null)
    .describe('A regular expression (RE2) that the path holds a match of; anchor it with ^ and $.'),
  methods: z
    .array(z.string().regex(/^[A-Z][A-Z-]{0,31}$/, 'must be a method such as GET'))
    .max(32)
    .default([])
    .describe('One of these. Empty: any.'),
  headers: conditions(headerName).default({}).describe('What headers must be, by name in lower case.'),
  query: conditions(z.string().max(256)).default({}).describe('What parameters of the query must be.'),
  cookies: conditions(z.string().max(256)).default({}).describe('What cookies must be.'),
  networks: z.array(network).max(1000).default([]).describe('Where the client is. Empty: anywhere.'),
  tags: tags.default([]).describe('What the request asks for in its header `X-Davit-Tag`, all of these.'),
};

/** The prefix that was matched is replaced by this one; null: the path stays. */
const rewritePrefix = path.nullable().default(null);

const priority = z
  .int()
  .min(-1_000_000)
  .max(1_000_000)
  .default(0)
  .describe('Higher comes first; of equals, the one that says more of host and path.');

function refuseTwoPaths(
  { path, path_prefix, path_regex }: { path: unknown; path_prefix: unknown; path_regex: unknown },
  context: z.RefinementCtx,
): void {
  if ([path, path_prefix, path_regex].filter((each) => each !== null).length > 1)
    context.addIssue({
      code: 'custom',
      path: ['path'],
      message: 'must not stand beside another condition on the path',
    });
}

/** Which requests go to a service, as its spec says it. */
export const route = z
  .strictObject({
    ...matchFields,
    priority,
    rewrite_prefix: rewritePrefix.describe('What the service sees in place of `path_prefix`.'),
  })
  .superRefine(refuseTwoPaths)
  .meta({ id: 'Route' });
export type Route = z.infer<typeof route>;

export const match = z.strictObject(matchFields).superRefine(refuseTwoPaths).meta({ id: 'RuleMatch' });
export type RuleMatch = z.infer<typeof match>;

const redirectTarget = z
  .string()
  .max(2048)
  .regex(/^(https?:\/\/|\/|\$\{)[^\s\p{Cc}]*$/u, 'must be an http address or a path');

export const action = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('route'), service: serviceId, rewrite_prefix: rewritePrefix }),
    z.strictObject({
      type: z.literal('split'),
      services: z
        .array(z.strictObject({ service: serviceId, weight: z.int().min(0).max(1_000_000) }))
        .min(1)
        .max(100)
        .describe('Each gets its share of the requests.'),
      rewrite_prefix: rewritePrefix,
    }),
    z.strictObject({
      type: z.literal('redirect'),
      to: redirectTarget.describe(
        'Placeholders, written as in a command, stand for those of the request: HOST, PATH, and QUERY with its question mark.',
      ),
      status: z
        .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
        .default(302),
    }),
    z.strictObject({ type: z.literal('deny'), status: z.int().min(400).max(499).default(403) }),
    z.strictObject({
      type: z.literal('answer'),
      status: z.int().min(200).max(599).default(200),
      content_type: z
        .string()
        .max(200)
        .regex(/^[\x20-\x7e]+$/)
        .default('text/plain; charset=utf-8'),
      body: z.string().max(65_536).default(''),
    }),
  ])
  .meta({ id: 'RuleAction' });
export type RuleAction = z.infer<typeof action>;

export const ruleId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be 1 to 63 characters of a-z, 0-9, dot, underscore and hyphen');

/** A rule of the rules API, or one that a route of a service makes. */
export const rule = z
  .object({
    id: z.string().describe('Of a route of a service: `<service>/<place of the route, from 1>`.'),
    enabled: z.boolean(),
    priority: z.int(),
    match,
    action,
    declared_by: serviceId.nullable().describe('The service of whose routes it is; null: made by the API.'),
  })
  .meta({ id: 'Rule' });
export type Rule = z.infer<typeof rule>;

export const newRule = z
  .strictObject({
    id: ruleId,
    enabled: z.boolean().default(true),
    priority,
    match: match.prefault({}),
    action,
  })
  .meta({ id: 'NewRule' });
export type NewRule = z.infer<typeof newRule>;
