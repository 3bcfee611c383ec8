import { DavitError } from '../lib/errors.ts';

/** How the ids of services begin that belong to the agent itself, as its routers do. */
const ownPrefix = 'davit.';

/** Throws `forbidden` where a service belongs to the agent itself: it alone says what that is. */
export function refuseOwn(id: string): void {
  if (!id.startsWith(ownPrefix)) return;
  const message = `"${id}" belongs to the agent itself, as everything that begins with "${ownPrefix}": its configuration says what that is`;
  throw new DavitError('forbidden', message);
}
