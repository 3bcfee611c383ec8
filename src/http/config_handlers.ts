import type { Configs } from '../configs/configs.ts';
import type { operations as contract } from '../contract/operations.ts';
import type { Seals } from '../services/seals.ts';
import { authorityOf, type Principal } from './permission.ts';
import type { Handler } from './route.ts';

type Contract = typeof contract;

/** What the routes on configuration files call. */
export function configHandlers(configs: Configs, seals: Seals) {
  // What a service reads may well decide what it does.
  const requireUnsealed = (id: string, principal: Principal) =>
    seals.requireUnsealed(id, 'replace its configuration files', authorityOf(principal, id));
  return {
    list: ({ path }) => configs.list(path.id),
    show: ({ path }) => configs.show(path.id, path.name),
    replace: ({ path, body, principal }) => {
      requireUnsealed(path.id, principal);
      const { content, if_sha256, reload } = body;
      const order = { service: path.id, name: path.name, if_sha256, reload, actor: principal.actor };
      return configs.replace(order, content);
    },
    versions: ({ path }) => configs.versions(path.id, path.name),
    version: ({ path }) => configs.version(path.id, path.name, Number(path.version)),
    diff: ({ path, query }) => configs.diff(path.id, path.name, numberOf(query.from), numberOf(query.to)),
    rollback: ({ path, body, principal }) => {
      requireUnsealed(path.id, principal);
      const { version, reload } = body;
      const order = {
        service: path.id,
        name: path.name,
        if_sha256: undefined,
        reload,
        actor: principal.actor,
      };
      return configs.rollback(order, version);
    },
  } satisfies {
    list: Handler<Contract['listConfigs']>;
    show: Handler<Contract['showConfig']>;
    replace: Handler<Contract['replaceConfig']>;
    versions: Handler<Contract['listConfigVersions']>;
    version: Handler<Contract['showConfigVersion']>;
    diff: Handler<Contract['diffConfig']>;
    rollback: Handler<Contract['rollbackConfig']>;
  };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
