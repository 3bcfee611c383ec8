import type { Silences } from '../alerts/silences.ts';
import type { Silence } from '../contract/alerts.ts';
import type { operations as contract } from '../contract/operations.ts';
import { DavitError } from '../lib/errors.ts';
import { allows, type Principal, refusal } from './permission.ts';
import type { Handler } from './route.ts';

type Contract = typeof contract;

/** What the routes on silences call. One for no service in particular concerns the whole agent. */
export function silenceHandlers(silences: Silences) {
  /** Throws `silence_not_found`, also for one that the caller may not see. */
  const visible = (id: string, principal: Principal): Silence => {
    const silence = silences.get(id);
    if (allows(principal, 'read', silence.service)) return silence;
    throw new DavitError('silence_not_found', `there is no silence "${id}"; it may have ended`);
  };
  return {
    list: ({ principal }) => ({
      silences: silences.all().filter(({ service }) => allows(principal, 'read', service)),
    }),

    create: ({ body, principal }) => {
      requireRights(principal, body);
      return silences.create(body, principal.actor);
    },

    end: ({ path, principal }) => {
      requireRights(principal, visible(path.silence_id, principal));
      return silences.end(path.silence_id, principal.actor);
    },
  } satisfies {
    list: Handler<Contract['listSilences']>;
    create: Handler<Contract['createSilence']>;
    end: Handler<Contract['endSilence']>;
  };
}

/** Throws `forbidden`. A pattern is within that of a key when it fits it as if its * were a character. */
function requireRights(principal: Principal, { service }: Pick<Silence, 'service'>): void {
  if (!allows(principal, 'operate', service)) throw refusal(principal, 'operate', service);
}
