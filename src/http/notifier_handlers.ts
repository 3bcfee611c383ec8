import type { NotifierOutbox } from '../alerts/delivery/outbox.ts';
import { toFailure } from '../alerts/notifiers/delivery_failure.ts';
import { templateProblem } from '../alerts/notifiers/template.ts';
import type { EventType } from '../contract/events.ts';
import type { NewNotifier, ReplaceNotifier, ShownNotifier } from '../contract/notifiers.ts';
import type { operations as contract } from '../contract/operations.ts';
import { DavitError } from '../lib/errors.ts';
import type { EventLog } from '../services/event_log.ts';
import { allows, type Principal } from './permission.ts';
import type { Handler } from './route.ts';

type Contract = typeof contract;

/** What the routes on notifiers call. Secrets go in and never come out, and what a receiver answered is for administrators. */
export function notifierHandlers(outbox: NotifierOutbox, events: EventLog) {
  const record = (
    type: EventType,
    { name, type: kind, target }: ShownNotifier,
    actor: string,
    verb: string,
  ) => events.record({ type, actor, message: `Notifier "${name}" was ${verb}: ${kind} to ${target}` });

  return {
    list: () => ({ notifiers: outbox.list() }),

    create: ({ body, principal }) => {
      requireTemplate(body);
      const made = outbox.create(body);
      record('notifier.created', made, principal.actor, 'made');
      return made;
    },

    replace: ({ path, body, principal }) => {
      requireTemplate(body);
      const changed = outbox.replace(path.notifier_name, body);
      record('notifier.updated', changed, principal.actor, 'changed');
      return changed;
    },

    remove: ({ path, principal }) => {
      const removed = outbox.remove(path.notifier_name);
      record('notifier.deleted', removed, principal.actor, 'deleted');
      return { deleted: removed };
    },

    test: async ({ path, principal, response }) => {
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      return await testNotifier(outbox, path.notifier_name, principal, gone.signal);
    },
  } satisfies {
    list: Handler<Contract['listNotifiers']>;
    create: Handler<Contract['createNotifier']>;
    replace: Handler<Contract['replaceNotifier']>;
    remove: Handler<Contract['deleteNotifier']>;
    test: Handler<Contract['testNotifier']>;
  };
}

/** What a receiver says may tell of the inside of a network, to which a key of a lesser scope has no right. */
async function testNotifier(outbox: NotifierOutbox, name: string, principal: Principal, signal: AbortSignal) {
  const shows = allows(principal, 'admin', null);
  const began = performance.now();
  const duration = () => Math.round(performance.now() - began);
  try {
    const { outcome, answer, problem } = await outbox.test(name, signal);
    const told = problem === null ? outcome : `${outcome}, ${problem}`;
    const said = shows ? answer : '';
    return {
      delivered: true as const,
      notifier: name,
      duration_ms: duration(),
      outcome: told,
      answer: said,
    };
  } catch (error) {
    if (error instanceof DavitError) throw error;
    const failure = toFailure(error);
    throw new DavitError('notification_failed', `notifier "${name}": ${failure.message}`, {
      cause: error,
      fields: { duration_ms: duration(), ...(shows && failure.answer !== '' && { answer: failure.answer }) },
    });
  }
}

/** Throws `invalid_request` where the template of a webhook is none. */
function requireTemplate(notifier: NewNotifier | ReplaceNotifier): void {
  if (notifier.type !== 'webhook' || notifier.body === undefined) return;
  const problem = templateProblem(notifier.body);
  if (problem === null) return;
  const details = [{ path: 'body', message: `is no Mustache template: ${problem}` }];
  throw new DavitError('invalid_request', `body is no Mustache template: ${problem}`, { details });
}
