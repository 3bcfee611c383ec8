import type { operations as contract } from '../contract/operations.ts';
import { milliseconds } from '../lib/units.ts';
import type { EventLog } from '../services/event_log.ts';
import type { ApiKeys } from './api_keys.ts';
import type { Handler } from './route.ts';

/** What the routes on API keys call. */
export function keyHandlers(keys: ApiKeys, events: EventLog) {
  return {
    list: () => ({ keys: keys.list() }),
    create: ({ body: { expires_in, ...key }, principal }) => {
      const created = keys.create({
        ...key,
        expires_at: expires_in === null ? null : Date.now() + milliseconds(expires_in),
      });
      const message = `Key ${created.id} was made for "${created.name}"`;
      events.record({ type: 'key.created', actor: principal.actor, message });
      return created;
    },
    revoke: ({ path, principal }) => {
      const revoked = keys.revoke(path.key_id);
      const message = `Key ${revoked.id} of "${revoked.name}" was revoked`;
      events.record({ type: 'key.revoked', actor: principal.actor, message });
      return revoked;
    },
  } satisfies {
    list: Handler<(typeof contract)['listKeys']>;
    create: Handler<(typeof contract)['createKey']>;
    revoke: Handler<(typeof contract)['revokeKey']>;
  };
}
