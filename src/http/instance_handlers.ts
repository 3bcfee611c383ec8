import type { operations as contract } from '../contract/operations.ts';
import type { Operations } from '../deploy/operations.ts';
import type { Registry } from '../services/registry.ts';
import type { Handler } from './route.ts';

/** What the routes on the instances of a service call. */
export function instanceHandlers(registry: Registry, operations: Operations) {
  return {
    list: ({ path }) => registry.instances(path.id),
    scale: ({ path, body, principal }) => operations.scale(path.id, body.instances, principal.actor),
    restart: ({ path, principal }) =>
      operations.restartInstance(path.id, Number(path.instance), principal.actor),
  } satisfies {
    list: Handler<(typeof contract)['listInstances']>;
    scale: Handler<(typeof contract)['scaleService']>;
    restart: Handler<(typeof contract)['restartInstance']>;
  };
}
