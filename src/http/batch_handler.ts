import type { BatchOperation, BatchResult } from '../contract/batch.ts';
import type { ErrorAnswer } from '../contract/error_answer.ts';
import type { operations as contract } from '../contract/operations.ts';
import type { Scope } from '../contract/scalars.ts';
import type { OperationResult } from '../contract/services.ts';
import { batchOrder } from '../deploy/batch_order.ts';
import type { Changes } from '../deploy/changes.ts';
import type { Operations } from '../deploy/operations.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import { auditPart } from './audit.ts';
import { errorReply, requestIdOf } from './errors.ts';
import { allows, authorityOf, type Principal, refusal } from './permission.ts';
import type { Handler } from './route.ts';

interface BatchParts {
  readonly operations: Operations;
  readonly changes: Changes;
  readonly dependencies: Dependencies;
}

type Outcome = BatchResult['results'][number];

/**
 * Runs every operation, side by side on different services, and tells how each ended. A service starts after those that
 * it depends on, and ends before them, where both are in the batch.
 */
export function batchHandler(parts: BatchParts): Handler<(typeof contract)['batch']> {
  return async ({ body, principal, response }) => {
    const first = batchOrder(body.operations, (id) => parts.dependencies.of(id));
    const begun = new Map<BatchOperation, Promise<Outcome>>();
    const begin = (item: BatchOperation): Promise<Outcome> => {
      const known = begun.get(item);
      if (known !== undefined) return known;
      const outcome = Promise.all(first(item).map(begin)).then(() => perform(item));
      begun.set(item, outcome);
      return outcome;
    };
    const perform = async (item: BatchOperation): Promise<Outcome> => {
      const { service, operation } = item;
      const done = (http_status: number, code: string | null) => {
        auditPart(response, { action: `${operation}Service`, service, http_status, code });
        return { service, operation, http_status };
      };
      try {
        const result = await run(parts, item, principal);
        return { ...done(200, null), result };
      } catch (error) {
        const { status, code, body: result } = errorReply(error, requestIdOf(response));
        return { ...done(status, code), result: result as ErrorAnswer };
      }
    };
    const results = await Promise.all(body.operations.map(begin));
    const succeeded = results.filter((result) => result.http_status === 200).length;
    return { results, succeeded, failed: results.length - succeeded };
  };
}

async function run(
  { operations, changes }: BatchParts,
  item: BatchOperation,
  principal: Principal,
): Promise<OperationResult> {
  const { service: id } = item;
  const { actor } = principal;
  const permission = permissionOf(item);
  if (!allows(principal, permission, id)) throw refusal(principal, permission, id);
  const authority = authorityOf(principal, id);
  switch (item.operation) {
    case 'deploy':
      return changes.deploy(id, item.body, actor, false, authority);
    case 'start':
      return operations.start(id, actor);
    case 'stop':
      return operations.stop(id, actor);
    case 'restart':
      return item.body?.command === undefined
        ? operations.restart(id, actor)
        : changes.restart(id, item.body.command, actor, authority);
    case 'rollback':
      return changes.rollback(id, item.body?.release, actor, authority);
    case 'delete':
      return changes.delete(id, actor, authority);
    case 'signal':
      return operations.signal(id, item.body.signal, actor);
    case 'pause':
      return operations.pause(id, actor);
    case 'resume':
      return operations.resume(id, actor);
    case 'scale':
      return operations.scale(id, item.body.instances, actor);
  }
}

/** The same that the operation's own route asks for. */
function permissionOf(item: BatchOperation): Scope {
  switch (item.operation) {
    case 'deploy':
    case 'rollback':
    case 'delete':
      return 'deploy';
    case 'restart':
      return item.body?.command === undefined ? 'operate' : 'deploy';
    default:
      return 'operate';
  }
}
