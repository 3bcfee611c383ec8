import type { operations as contract } from '../contract/operations.ts';
import { isSet } from '../contract/query.ts';
import type { Changes } from '../deploy/changes.ts';
import type { Operations } from '../deploy/operations.ts';
import { DavitError } from '../lib/errors.ts';
import type { Registry } from '../services/registry.ts';
import { allows, authorityOf, refusal } from './permission.ts';
import type { Handler } from './route.ts';

type Contract = typeof contract;

/** What the routes on services call. */
export function serviceHandlers(registry: Registry, operations: Operations, changes: Changes) {
  const visible = (principal: Parameters<typeof allows>[0]) =>
    registry.services().filter(({ id }) => allows(principal, 'read', id));

  return {
    statuses: ({ principal }) =>
      Object.fromEntries(visible(principal).map(({ id }) => [id, registry.status(id)])),
    list: ({ principal }) => ({ services: visible(principal).map(({ id }) => registry.show(id)) }),
    show: ({ path }) => registry.show(path.id),
    status: ({ path }) => registry.status(path.id),
    releases: ({ path }) => ({ releases: registry.releases(path.id) }),
    release: ({ path }) => registry.showRelease(path.id, Number(path.release)),

    create: ({ body: { id, ...spec }, principal, response }) => {
      response.locals['service'] = id;
      if (!allows(principal, 'deploy', id)) throw refusal(principal, 'deploy', id);
      return changes.create(id, spec, principal.actor, authorityOf(principal, id));
    },
    update: ({ path, body, principal }) =>
      changes.update(path.id, body, principal.actor, authorityOf(principal, path.id)),
    delete: ({ path, principal }) =>
      changes.delete(path.id, principal.actor, authorityOf(principal, path.id)),
    deploy: ({ path, query, body, principal }) => {
      const { actor } = principal;
      if (query.sha256 !== undefined && query.sha256 !== body.artifact?.sha256)
        throw new DavitError('invalid_request', 'sha256 in the query: goes with an upload only');
      const authority = authorityOf(principal, path.id);
      return changes.deploy(path.id, body, actor, isSet(query.supersede), authority);
    },
    restart: ({ path, body, principal }) => {
      const { id } = path;
      const { actor } = principal;
      if (body.command === undefined) return operations.restart(id, actor);
      // A command is what the scope deploy is about, whatever the call is named.
      if (!allows(principal, 'deploy', id)) throw refusal(principal, 'deploy', id);
      return changes.restart(id, body.command, actor, authorityOf(principal, id));
    },
    start: ({ path, principal }) => operations.start(path.id, principal.actor),
    stop: ({ path, principal }) => operations.stop(path.id, principal.actor),
    rollback: ({ path, body, principal }) =>
      changes.rollback(path.id, body.release, principal.actor, authorityOf(principal, path.id)),
    signal: ({ path, body, principal }) => operations.signal(path.id, body.signal, principal.actor),
    pause: ({ path, principal }) => operations.pause(path.id, principal.actor),
    resume: ({ path, principal }) => operations.resume(path.id, principal.actor),
  } satisfies {
    statuses: Handler<Contract['allStatuses']>;
    list: Handler<Contract['listServices']>;
    show: Handler<Contract['showService']>;
    status: Handler<Contract['serviceStatus']>;
    releases: Handler<Contract['listReleases']>;
    release: Handler<Contract['showRelease']>;
    create: Handler<Contract['createService']>;
    update: Handler<Contract['updateService']>;
    delete: Handler<Contract['deleteService']>;
    deploy: Handler<Contract['deployService']>;
    restart: Handler<Contract['restartService']>;
    start: Handler<Contract['startService']>;
    stop: Handler<Contract['stopService']>;
    rollback: Handler<Contract['rollbackService']>;
    signal: Handler<Contract['signalService']>;
    pause: Handler<Contract['pauseService']>;
    resume: Handler<Contract['resumeService']>;
  };
}
