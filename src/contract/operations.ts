import { accessOperations } from './operations/access.ts';
import { agentOperations } from './operations/agent.ts';
import { alertOperations } from './operations/alerts.ts';
import { configOperations } from './operations/configs.ts';
import { declarationOperations } from './operations/declarations.ts';
import { deploymentOperations } from './operations/deployments.ts';
import { logOperations } from './operations/logs.ts';
import { routingOperations } from './operations/routing.ts';
import { serviceOperations } from './operations/services.ts';

const operationTable = {
  ...serviceOperations,
  ...deploymentOperations,
  ...declarationOperations,
  ...configOperations,
  ...routingOperations,
  ...logOperations,
  ...alertOperations,
  ...agentOperations,
  ...accessOperations,
};

export type OperationId = keyof typeof operationTable;
/** Every operation of the API by its id; which verb, path and permission it has stands in the agent's table of routes. */
export const operations: { readonly [Id in OperationId]: (typeof operationTable)[Id] } = operationTable;
