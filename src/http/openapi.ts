import { z } from 'zod';
import { archiveTypes } from '../contract/artifacts.ts';
import { errorAnswer } from '../contract/error_answer.ts';
import { type ErrorCode, errorStatus } from '../contract/error_codes.ts';
import type { Operation } from '../contract/operations/operation.ts';
import type { Permission, Route } from './route.ts';

type Json = Record<string, unknown>;

const commonErrors: readonly ErrorCode[] = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'too_many_requests',
  'internal',
];

/** The OpenAPI 3.1 document of the table of routes. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const described = paths[route.path] ?? {};
    described[route.verb] = describeRoute(route, schemas);
    paths[route.path] = described;
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'davit',
      version,
      description:
        'A deployment agent. Every error has the same shape; a string command runs in a shell, a list does not.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { api_key: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key or a JWT.' },
        api_key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
    },
  };
}

function describeRoute({ id, path, verb, operation, permission }: Route, schemas: Json): Json {
  const isPipeline = !path.startsWith('/api/');
  return {
    operationId: isPipeline ? id : `${id}V1`,
    summary: operation.summary,
    tags: [isPipeline && operation.answer_type === undefined ? 'pipeline' : operation.tag],
    description: describePermission(permission),
    ...(permission === 'public' && { security: [] }),
    parameters: [
      ...parameters('path', operation.path, schemas),
      ...parameters('query', operation.query, schemas),
      ...(verb === 'post' && permission !== 'public' ? [idempotencyKey] : []),
    ],
    ...((operation.body || operation.archive) && {
      requestBody: {
        required: operation.body?.safeParse({}).success !== true,
        content: {
          ...(operation.body && {
            'application/json': { schema: toSchema(operation.body, 'input', schemas) },
          }),
          ...(operation.yaml && { 'application/yaml': { schema: { type: 'string' } } }),
          ...(operation.archive && archiveContent),
        },
      },
    }),
    responses: describeAnswers(operation, permission, schemas),
  };
}

/** Archives need no schema in OpenAPI 3.1: the type says that they are bytes. */
const archiveContent = {
  ...Object.fromEntries(archiveTypes.map((type) => [type, {}])),
  'multipart/form-data': {
    schema: {
      type: 'object',
      properties: {
        artifact: { type: 'string', contentMediaType: 'application/octet-stream' },
        spec: { type: 'string', contentMediaType: 'application/json', description: 'Fields of a spec.' },
      },
    },
  },
};

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key with the same request gives the first answer again, for a day.',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
};

function describePermission(permission: Permission): string {
  if (permission === 'public') return 'Needs no credential.';
  if (typeof permission === 'string') return `Needs the scope \`${permission}\`.`;
  return `Needs the scope \`${permission.some}\` on the services that it concerns.`;
}

function parameters(place: 'path' | 'query', schema: z.ZodObject | undefined, schemas: Json): Json[] {
  return Object.entries(schema?.shape ?? {}).map(([name, field]) => {
    const { description, ...rest } = toSchema(field as z.ZodType, 'input', schemas);
    const required = place === 'path' || !(field as z.ZodType).safeParse(undefined).success;
    return { name, in: place, required, ...(description !== undefined && { description }), schema: rest };
  });
}

function describeAnswers(operation: Operation, permission: Permission, schemas: Json): Json {
  const body = toSchema(operation.answer, 'output', schemas);
  const stream = operation.stream && { schema: toSchema(operation.stream, 'output', schemas) };
  const bodyErrors: ErrorCode[] =
    operation.body || operation.archive
      ? ['invalid_json', 'body_too_large', 'unsupported_media_type', 'idempotency_conflict']
      : [];
  const codes = [...bodyErrors, ...operation.errors, ...(permission === 'public' ? [] : commonErrors)];
  return {
    [operation.success ?? 200]: {
      description: 'Done.',
      content: {
        [operation.answer_type ?? 'application/json']: { schema: body },
        ...(stream && { 'text/event-stream': stream }),
      },
    },
    ...describeErrors(codes, toSchema(errorAnswer, 'output', schemas)),
  };
}

function describeErrors(codes: readonly ErrorCode[], schema: Json): Json {
  const byStatus = Object.groupBy(codes, (code) => String(errorStatus[code]));
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, same = []]) => [
      status,
      {
        description: [...new Set(same)].map((code) => `\`${code}\``).join(', '),
        content: { 'application/json': { schema } },
      },
    ]),
  );
}

/** The JSON Schema of a zod schema; what has an id of its own goes to `schemas` and is referred to. */
function toSchema(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const {
    $schema: _,
    $defs,
    ...own
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    // An answer may have more fields in a later version.
    override: ({ jsonSchema }) => {
      if (io === 'output' && jsonSchema.additionalProperties === false)
        delete jsonSchema.additionalProperties;
    },
  }) as Json & { $defs?: Json };
  Object.assign(schemas, refersToComponents($defs ?? {}));
  const { id } = own;
  if (typeof id !== 'string') return refersToComponents(own);
  schemas[id] = refersToComponents(own);
  return { $ref: `#/components/schemas/${id}` };
}

function refersToComponents(schema: Json): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json;
}
