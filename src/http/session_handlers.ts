import type { Response } from 'express';
import type { operations as contract } from '../contract/operations.ts';
import type { Session as SessionAnswer } from '../contract/sessions.ts';
import { DavitError } from '../lib/errors.ts';
import type { Gate } from './gate.ts';
import type { Handler } from './route.ts';
import type { SessionCookie } from './session_cookie.ts';
import type { Session, Sessions } from './sessions.ts';

interface SessionHandlersOptions {
  readonly sessions: Sessions;
  readonly cookie: SessionCookie;
  readonly gate: Pick<Gate, 'prove'>;
}

/** What the routes on signing in to the console call. */
export function sessionHandlers({ sessions, cookie, gate }: SessionHandlersOptions) {
  return {
    signIn: async ({ body, request, response }) => {
      const principal = await gate.prove(body.credential, request, response);
      // For the audit.
      response.locals['principal'] = principal;
      for (const before of cookie.read(request, response)) {
        const replaced = sessions.find(before, false);
        if (replaced !== null) sessions.end(replaced.principal.session);
      }
      const { secret, session } = sessions.begin(principal);
      cookie.give(response, secret);
      return toAnswer(session);
    },
    show: ({ response }) => toAnswer(sessionOf(response)),
    signOut: ({ response }) => {
      const { session } = sessionOf(response).principal;
      sessions.end(session);
      cookie.clear(response);
      return { ended: 1 };
    },
    signOutEverywhere: ({ principal, response }) => {
      const ended = sessions.endAll(principal.actor);
      if (principal.session !== undefined) cookie.clear(response);
      return { ended };
    },
  } satisfies {
    signIn: Handler<(typeof contract)['signIn']>;
    show: Handler<(typeof contract)['showSession']>;
    signOut: Handler<(typeof contract)['signOut']>;
    signOutEverywhere: Handler<(typeof contract)['signOutEverywhere']>;
  };
}

function sessionOf(response: Response): Session {
  const session: Session | undefined = response.locals['session'];
  if (session !== undefined) return session;
  throw new DavitError('session_not_found', 'this call came with a key or a token itself, not by a session');
}

function toAnswer(session: Session): SessionAnswer {
  const { actor, name, grants } = session.principal;
  return {
    actor,
    name,
    grants: grants.map(({ scope, services }) => ({ scope, services: services && [...services] })),
    csrf_token: session.csrf_token,
    created_at: new Date(session.created_at).toISOString(),
    expires_at: new Date(session.expires_at).toISOString(),
    idle_timeout_seconds: session.idle_timeout / 1000,
  };
}
