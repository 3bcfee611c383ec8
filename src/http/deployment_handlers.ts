import type { operations as contract } from '../contract/operations.ts';
import type { RunningDeployments } from '../deploy/running_deployments.ts';
import type { DeploymentHistory } from '../services/deployment_history.ts';
import type { Registry } from '../services/registry.ts';
import type { Handler } from './route.ts';

/** How many deployments are shown where nobody says how many. */
const shownDeployments = 20;

/** What the routes on the deployments of a service call. */
export function deploymentHandlers(
  registry: Registry,
  running: RunningDeployments,
  history: DeploymentHistory,
) {
  const show = ({ id, deployment }: { readonly id: string; readonly deployment: string }) => {
    registry.get(id);
    return history.get(id, Number(deployment));
  };
  return {
    list: ({ path, query }) => {
      registry.get(path.id);
      return { deployments: history.list(path.id, Number(query.limit ?? shownDeployments)) };
    },
    show: ({ path }) => show(path),
    cancel: ({ path, principal }) => {
      registry.get(path.id);
      running.cancel(path.id, Number(path.deployment), principal.actor);
      return show(path);
    },
    promote: ({ path, principal }) => {
      registry.get(path.id);
      running.promote(path.id, Number(path.deployment), principal.actor);
      return show(path);
    },
  } satisfies {
    list: Handler<(typeof contract)['listDeployments']>;
    show: Handler<(typeof contract)['showDeployment']>;
    cancel: Handler<(typeof contract)['cancelDeployment']>;
    promote: Handler<(typeof contract)['promoteDeployment']>;
  };
}
