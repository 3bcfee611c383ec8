import { operations as contract, type OperationId } from '../contract/operations.ts';
import { DavitError } from '../lib/errors.ts';
import type { AuditLog } from './audit_log.ts';
import { readMoment } from './log_handlers.ts';
import type { Handler } from './route.ts';

/** How many records are given when nobody says. */
const defaultLimit = 100;

/** The route on the audit log. */
export function auditHandler(log: AuditLog): Handler<(typeof contract)['listAudit']> {
  return ({ query: { action, since, until, limit, ...query } }) =>
    log.list({
      ...query,
      limit: limit === undefined ? defaultLimit : Number(limit),
      actions: action?.split(',').map(knownAction),
      since: since === undefined ? undefined : readMoment(since),
      until: until === undefined ? undefined : readMoment(until),
    });
}

/** `unknown` is what stands there when nothing is at the path. */
function knownAction(action: string): OperationId | 'unknown' {
  if (action === 'unknown' || Object.hasOwn(contract, action)) return action as OperationId;
  const message = `"${action}" is not the id of an operation; /openapi.json has them all`;
  throw new DavitError('invalid_request', `action in the query: ${message}`, {
    details: [{ path: 'action', message }],
  });
}
