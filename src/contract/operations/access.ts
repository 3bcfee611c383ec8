import { auditList, auditQuery } from '../audit.ts';
import { apiKey, apiKeyList, createdApiKey, createKey, keyPath } from '../keys.ts';
import * as sessions from '../sessions.ts';
import type { Operation } from './operation.ts';

/** Who may call, and who did what: sessions, API keys, the audit. */
export const accessOperations = {
  signIn: {
    tag: 'access',
    summary: 'Begin a session of the web console with an API key or a token; its secret is a cookie',
    body: sessions.signIn,
    answer: sessions.session,
    success: 201,
    errors: [
      'invalid_request',
      'unauthenticated',
      'forbidden',
      'too_many_requests',
      'not_supported',
      'internal',
    ],
    secret: true,
  },
  showSession: {
    tag: 'access',
    summary: 'Who is signed in by the cookie, and how long',
    answer: sessions.session,
    errors: ['session_not_found'],
  },
  signOut: {
    tag: 'access',
    summary: 'End the session; its open streams end',
    answer: sessions.endedSessions,
    errors: ['session_not_found'],
  },
  signOutEverywhere: {
    tag: 'access',
    summary: 'End every session of whoever calls; their open streams end',
    answer: sessions.endedSessions,
    errors: [],
  },

  listKeys: {
    tag: 'access',
    summary: 'Every API key, without its secret',
    answer: apiKeyList,
    errors: [],
  },
  createKey: {
    tag: 'access',
    summary: 'Make an API key; it is shown this once',
    body: createKey,
    answer: createdApiKey,
    success: 201,
    errors: ['storage_unavailable'],
    secret: true,
  },
  revokeKey: {
    tag: 'access',
    path: keyPath,
    summary: 'Revoke an API key; its open streams end',
    answer: apiKey,
    errors: ['key_not_found', 'state_conflict'],
  },

  listAudit: {
    tag: 'access',
    summary: 'Who did what, oldest first, page by page from the newest',
    query: auditQuery,
    answer: auditList,
    errors: [],
  },
} as const satisfies Record<string, Operation>;
