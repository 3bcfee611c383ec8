import { z } from 'zod';
import { errorStatus } from './error_codes.ts';
import { isSet } from './query.ts';
import { serviceId } from './scalars.ts';
import { operationResult } from './services.ts';
import { spec, specFields, specPatch } from './spec.ts';

export const declarationName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'must be 1 to 63 characters of a-z, 0-9, dot, underscore and hyphen, and start with a letter or digit',
  )
  .meta({ id: 'DeclarationName', examples: ['shop'] });

/** How a declaration is called that gives itself no name. */
export const defaultDeclarationName = 'davit';

/** The greatest source of a declaration, in characters. */
export const longestDeclaration = 1_000_000;

/** What a file may say for all of its services, each of which may say otherwise. */
export const declarationDefaults = specPatch;

/** A file that declares services, without what begins with `x-`: those keys are for whoever writes it. */
export const declarationFile = z.strictObject({
  name: declarationName
    .optional()
    .describe(
      `By what it is known: --prune deletes what was declared under this name and is no longer. Default: ${defaultDeclarationName}.`,
    ),
  defaults: declarationDefaults
    .optional()
    .describe('Fields for every service; those of a service are merged over them.'),
  services: z
    .record(serviceId, spec)
    .refine((all) => Object.keys(all).length <= 1000, 'must not hold more than 1000 services')
    .describe('Each service by its id; what is left out has its default.'),
});

/** The fields of a declared service, for an editor's sake. */
const editedService = z.strictObject({ ...specFields, command: specFields.command.optional() });

/** The JSON Schema of a declaration, for editors. */
export function declarationJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(
    declarationFile.extend({ services: z.record(serviceId, editedService) }),
    {
      io: 'input',
      target: 'draft-7',
      unrepresentable: 'any',
    },
  ) as Record<string, unknown>;
  return {
    $schema,
    title: 'davit.yaml',
    description: 'Services that davit is to run.',
    ...schema,
    patternProperties: { '^x-': { description: 'Ignored; for YAML anchors.' } },
  };
}

const flag = z.enum(['true', 'false', '1', '0', '']).transform(isSet).describe('true or false');

const fileName = z
  .string()
  .max(4096)
  .regex(/^[^\p{Cc}]*$/u, 'must hold no control characters')
  .describe('What messages call it. Default: davit.yaml.');
const planId = z.string().regex(/^[0-9a-f]{32}$/, 'must be the id of a plan');

const source = z.string().max(longestDeclaration).describe('The declaration: YAML or JSON as text.');
const prune = z
  .boolean()
  .describe('Whether to delete what was declared under this name and is no longer. Default: false.');
const force = z
  .boolean()
  .describe('Whether to go on when the plan is not the one of `plan`. Default: false.');

export const planDeclaration = z
  .strictObject({ source, file: fileName.optional(), prune: prune.optional() })
  .meta({ id: 'PlanDeclaration' });
export const applyDeclaration = z
  .strictObject({
    source,
    file: fileName.optional(),
    prune: prune.optional(),
    plan: planId.optional().describe('Only if this is still what would be done.'),
    force: force.optional(),
  })
  .meta({ id: 'ApplyDeclaration' });

/** The same beside a declaration that is the body itself (`Content-Type: application/yaml`). */
export const planQuery = z.strictObject({ file: fileName.optional(), prune: flag.optional() });
export const applyQuery = z.strictObject({
  file: fileName.optional(),
  prune: flag.optional(),
  plan: planId.optional(),
  force: flag.optional(),
});

const specChange = z
  .object({
    field: z.string().describe('Such as `stop.timeout` or `env.DEBUG`.'),
    from: z.unknown().describe('null: none. A value of `env` is hidden.'),
    to: z.unknown(),
  })
  .meta({ id: 'SpecChange' });

const planCost = z
  .object({
    restarts: z.array(z.int()).describe('Instances that are replaced by new ones.'),
    starts: z.array(z.int()).describe('Instances that are started beside.'),
    stops: z.array(z.int()).describe('Instances that are ended for good.'),
    connections: z
      .int()
      .nullable()
      .describe('How many connections there are now to what is restarted or ended. null: not known.'),
    ports: z
      .array(
        z.object({
          instance: z.int(),
          from: z.int().nullable(),
          to: z.union([z.int(), z.literal('auto')]).nullable(),
        }),
      )
      .describe('Ports that move.'),
  })
  .meta({ id: 'PlanCost' });
export type PlanCost = z.infer<typeof planCost>;

export const plannedActions = ['create', 'deploy', 'scale', 'start', 'adopt', 'delete', 'none'] as const;
export type PlannedAction = (typeof plannedActions)[number];

const planStep = z
  .object({
    service: serviceId,
    action: z
      .enum(plannedActions)
      .describe(
        '`deploy`: a new release; `scale`: another number of instances; `adopt`: it belongs to another declaration so far.',
      ),
    changes: z.array(specChange),
    cost: planCost,
    reason: z.string(),
  })
  .meta({ id: 'PlanStep' });
export type PlanStep = z.infer<typeof planStep>;

export const plan = z
  .object({
    id: planId.describe('Of all that it was made from; give it to apply.'),
    name: declarationName,
    actions: z.array(planStep).describe('In the order in which they begin.'),
    changes: z.boolean().describe('Whether there is anything to do.'),
    summary: z.string(),
  })
  .meta({ id: 'Plan' });
export type Plan = z.infer<typeof plan>;

const appliedStep = z
  .object({
    service: serviceId,
    action: z.enum(plannedActions),
    outcome: z.enum(['done', 'unchanged', 'failed', 'skipped']),
    message: z.string(),
    result: operationResult.optional(),
    error: z
      .looseObject({
        error: z.string(),
        code: z.enum(Object.keys(errorStatus) as [keyof typeof errorStatus]),
      })
      .optional()
      .describe('As its own call would have been answered.'),
  })
  .meta({ id: 'AppliedStep' });
export type AppliedStep = z.infer<typeof appliedStep>;

export const applied = z
  .object({
    plan: planId,
    name: declarationName,
    results: z.array(appliedStep),
    summary: z.string(),
  })
  .meta({ id: 'Applied' });
export type Applied = z.infer<typeof applied>;
