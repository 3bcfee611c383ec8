// biome-ignore lint/suspicious/noExplicitAny: an OpenAPI document is read as it comes
type Json = any;

/** Numbers from 0 to 1, always the same ones for a seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface RandomRequest {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
  readonly headers: Record<string, string>;
  /** The HTTP statuses that the document names. */
  readonly statuses: readonly string[];
}

/** What a random request may not choose freely: it would run for long, do harm, or hit nothing. */
const chosen: Readonly<Record<string, readonly Json[]>> = {
  command: [
    'true',
    'sleep 0.01',
    'exec sleep 30',
    ['sleep', '0.01'],
    ['no-such-program'],
    ['true', ''],
    '',
    [],
    7,
    null,
  ],
  id: ['a', 'b', 'c', 'd.e', 'never', 'A', 'a b', '..', '%2e%2e', 'x'.repeat(64)],
  service: ['a', 'b', 'c', 'd.e', 'never', 'A', ''],
  cwd: ['/', '/tmp', '/no/such', 'relative', '', '/\u0000', null, 5],
  env_file: ['/etc/hostname', '/no/such', '/tmp', ['/dev/null'], 'x', {}],
  user: [null, 'nobody', 65534, 'no-such-user', -1, {}],
  group: [null, 'nogroup', 'no-such-group', 1.5],
  min_uptime: ['0s', '1ms', '30ms', '5', 5, '-1s', null],
  timeout: ['0s', '50ms', '1s', 'soon', null],
  max_size: ['1MB', '10KiB', '0B', 'x', null],
  max_age: ['14d', '0s', '5', 5, null],
  max_releases: [1, 0, 1.5, '1', null],
  compress: [true, false, 'yes', null],
  after: ['1.0.0', '1.9.9_2.0.0', '1.0', 'x', ''],
  before: ['1.0.0', '0.0.0', '9.9.9', '2.0.0_1.0.0'],
  follow: ['false', '0', 'perhaps'],
  download: ['perhaps'],
  services: ['a', 'b,c', 'never', '*', ['a'], ['*'], null],
  key_id: ['nosuchkey', 'x', '..', 'A'],
  name: ['ci', '', 'x'.repeat(200), '\u0000', 'ключ'],
};

const oddities: readonly Json[] = [
  null,
  true,
  -1,
  1e308,
  '',
  '\u0000',
  '\ud800',
  'x'.repeat(5000),
  [],
  {},
  [[[]]],
  { a: 1 },
];

/** Requests made from an OpenAPI document: most of them right in most of their parts, each wrong somewhere now and then. */
export class RandomRequests {
  readonly #document: Json;
  readonly #random: () => number;
  readonly #operations: readonly { method: string; path: string; operation: Json }[];

  constructor(document: Json, seed: number) {
    this.#document = document;
    this.#random = randomNumbers(seed);
    this.#operations = Object.entries<Json>(document.paths).flatMap(([path, verbs]) =>
      Object.entries<Json>(verbs).map(([method, operation]) => ({ method, path, operation })),
    );
  }

  next(): RandomRequest {
    const { method, path, operation } = this.#pick(this.#operations);
    const query = new URLSearchParams();
    let filled = path;
    for (const { name, in: place, schema, required } of operation.parameters) {
      const value = this.#text(this.#value(schema, name));
      if (place === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(value.toWellFormed()));
      if (place === 'query' && (required || this.#random() < 0.4)) query.set(name, value);
    }
    if (this.#random() < 0.03) query.set('unknown', '1');
    const schema = operation.requestBody?.content['application/json']?.schema;
    return {
      operationId: operation.operationId,
      method: method.toUpperCase(),
      path: query.size > 0 ? `${filled}?${query}` : filled,
      body: schema && this.#random() < 0.95 ? this.#body(schema) : undefined,
      headers:
        method === 'post' && this.#random() < 0.1
          ? { 'idempotency-key': `k${Math.floor(this.#random() * 20)}` }
          : {},
      statuses: Object.keys(operation.responses),
    };
  }

  #body(schema: Json): string {
    const text = JSON.stringify(this.#value(schema, ''));
    return this.#random() < 0.03 ? text.slice(0, -1) : text;
  }

  #value(schema: Json, name: string): Json {
    const resolved = this.#resolve(schema);
    if (chosen[name]) return this.#pick(chosen[name]);
    if (this.#random() < 0.04) return this.#pick(oddities);
    if (resolved.const !== undefined) return resolved.const;
    if (resolved.enum) return this.#pick(resolved.enum);
    const choices = resolved.anyOf ?? resolved.oneOf;
    if (choices) return this.#value(this.#pick(choices), name);
    switch (resolved.type) {
      case 'object':
        return this.#object(resolved);
      case 'array':
        return Array.from({ length: 1 + Math.floor(this.#random() * 3) }, () =>
          this.#value(resolved.items, name),
        );
      case 'string':
        return this.#pick([...(resolved.examples ?? []), '1', '10', 'abc', '2026-01-01T00:00:00Z', '15m']);
      case 'integer':
      case 'number':
        return this.#pick([0, 1, 2, 3, 100]);
      case 'boolean':
        return this.#random() < 0.5;
      default:
        return null;
    }
  }

  #object(schema: Json): Json {
    const made: Json = {};
    for (const [name, field] of Object.entries<Json>(schema.properties ?? {})) {
      if (schema.required?.includes(name) || this.#random() < 0.3) made[name] = this.#value(field, name);
    }
    if (typeof schema.additionalProperties === 'object')
      made[this.#pick(['A', 'B_1', '1A', ''])] = this.#pick(['x', 'y', 3]);
    if (this.#random() < 0.03) made[this.#pick(['extra', '__proto__', 'constructor'])] = 1;
    return made;
  }

  #resolve(schema: Json): Json {
    if (schema?.$ref === undefined) return schema ?? {};
    return this.#resolve(this.#document.components.schemas[schema.$ref.split('/').at(-1)]);
  }

  #text(value: Json): string {
    return typeof value === 'string' ? value : JSON.stringify(value);
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }
}
