import type { operations as contract } from '../contract/operations.ts';
import type { Why } from '../supervision/why.ts';
import { allows } from './permission.ts';
import type { Handler } from './route.ts';

/** How many events and lines are given when nobody says. */
const defaults = { limit: 40, lines: 10 };

/** The route that tells why a service is in the state that it is in. What other services did is told to who may read them. */
export function whyHandler(why: Why): Handler<(typeof contract)['whyService']> {
  return ({ path, query, principal }) =>
    why.tell(path.id, {
      instance: query.instance === undefined ? null : Number(query.instance),
      limit: Number(query.limit ?? defaults.limit),
      lines: Number(query.lines ?? defaults.lines),
      maySee: (service) => allows(principal, 'read', service),
    });
}
