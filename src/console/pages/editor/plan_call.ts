import type { PlanStep } from '../../../contract/declaration.ts';
import type { Service } from '../../../contract/services.ts';
import type { Fields } from './json_schema.ts';

/**
 * No service is of this declaration: a plan in its name speaks of nothing but the service that it is made for. It is never
 * applied, so that who edits a service here does not take it out of the declaration that it is of.
 */
const previewName = 'console.preview';

/** A declaration of one service, to be planned; YAML takes JSON. */
export function planSource(id: string, fields: Fields): string {
  return JSON.stringify({ name: previewName, services: { [id]: fields } });
}

interface Call {
  readonly method: 'post' | 'patch';
  readonly path: string;
  readonly body: Fields;
}

/** The call that does what a step of a plan says. null: there is nothing to do. */
export function callFor(
  { service: id, action, cost }: PlanStep,
  patch: Fields,
  service: Service | null,
): Call | null {
  const path = `/services/${id}`;
  const { instances, status } = service?.status ?? {};
  const isThere = (instances?.running ?? 0) > 0 || status === 'completed';
  switch (action) {
    case 'create':
      return { method: 'post', path: `${path}/deploy`, body: patch };
    case 'deploy':
    case 'scale':
      // What no process could notice takes effect without a deployment.
      return isThere && cost.restarts.length === 0
        ? { method: 'patch', path, body: patch }
        : { method: 'post', path: `${path}/deploy`, body: patch };
    case 'start':
      return { method: 'post', path: `${path}/start`, body: {} };
    default:
      return null;
  }
}
