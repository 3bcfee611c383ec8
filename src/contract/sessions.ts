import { z } from 'zod';
import { scope, serviceGlob, time } from './scalars.ts';

/**
 * How the name of the cookie of a session begins, after `__Host-` where there is TLS. Browsers send it to every port of the
 * host, so whoever carries requests to services takes it out of them.
 */
export const sessionCookiePrefix = 'davit_session_';

export const signIn = z
  .strictObject({
    credential: z.string().trim().min(1).max(16_384).describe('An API key or a JWT.'),
  })
  .meta({ id: 'SignIn' });

/** Who is signed in, and how long. */
export const session = z
  .object({
    actor: z.string().describe('`key:<id>` or `jwt:<issuer>#<subject>`.'),
    name: z.string().describe('The name of the key, or the subject of the token.'),
    grants: z
      .array(
        z.object({
          scope: scope.describe('It includes those before it.'),
          services: z
            .array(serviceGlob)
            .nullable()
            .describe('null: every service, and the agent as a whole.'),
        }),
      )
      .describe('Each stands for itself: the scope of one does not extend to the services of another.'),
    csrf_token: z
      .string()
      .describe('What every call but GET and HEAD must send as `X-CSRF-Token` beside the cookie.'),
    created_at: time,
    expires_at: time.describe('When it ends however much it is used.'),
    idle_timeout_seconds: z.number().describe('After how long without use it ends before that.'),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof session>;

export const endedSessions = z
  .object({ ended: z.int().describe('How many sessions.') })
  .meta({ id: 'EndedSessions' });
