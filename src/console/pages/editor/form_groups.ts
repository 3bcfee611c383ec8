import type { FormField } from './form_fields.ts';

/** Fields of a service as somebody thinks of them who runs one. What is named nowhere is in `other`. */
const groups = {
  essentials: ['command', 'port', 'instances', 'cwd', 'user', 'env', 'readiness'],
  process: ['type', 'group', 'runner', 'env_file', 'artifact', 'parameters', 'arguments', 'sealed'],
  health: ['liveness', 'ready_log', 'min_uptime'],
  restarts: ['restart', 'success_exit_codes', 'stop'],
  deploys: ['rollout'],
  routing: ['routes', 'routing', 'tags'],
  logs: ['logs'],
  limits: ['limits'],
  dependencies: ['depends_on', 'on_dependency_failure'],
  schedule: ['schedule'],
  files: ['configs'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type GroupName = keyof typeof groups | 'other';

interface FieldGroup {
  readonly name: GroupName;
  readonly fields: readonly FormField[];
}

/** Every field in its group; groups without any are left out. */
export function groupFields(fields: readonly FormField[]): FieldGroup[] {
  const named = new Set<string>(Object.values(groups).flat());
  const found = Object.entries(groups).map(([name, names]) => ({
    name: name as GroupName,
    fields: names.flatMap((one) => fields.find((field) => field.name === one) ?? []),
  }));
  const other = { name: 'other' as const, fields: fields.filter(({ name }) => !named.has(name)) };
  return [...found, other].filter((group) => group.fields.length > 0);
}
