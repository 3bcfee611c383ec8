import { z } from 'zod';
import type { ErrorCode } from '../error_codes.ts';
import { servicePath } from '../services.ts';

/** What one operation of the API takes and gives. */
export interface Operation {
  readonly summary: string;
  readonly tag: 'pipeline' | 'services' | 'routing' | 'logs' | 'alerts' | 'agent' | 'access';
  readonly path?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  /** Default: JSON. */
  readonly answer_type?: 'text/plain' | 'text/event-stream';
  /** The body may be a YAML text as well, which then is its `source`. */
  readonly yaml?: true;
  /** The body may be an archive, or a form with one, as well; `only`: it is nothing else. */
  readonly archive?: 'allowed' | 'only';
  /** Default 200. */
  readonly success?: 200 | 201;
  /** What the server-sent events of `follow=true` are. */
  readonly stream?: z.ZodType;
  /** Besides `invalid_request`, `unauthenticated`, `forbidden`, `too_many_requests` and `internal`. */
  readonly errors: readonly ErrorCode[];
  /** The answer holds a secret that is shown once: it is never kept. */
  readonly secret?: true;
}

export const onService = { tag: 'services', path: servicePath } as const;

/** How anything fails that starts a release. */
export const failedDeploy = [
  'spawn_failed',
  'exited_early',
  'not_ready',
  'release_worse',
  'deployment_superseded',
  'deployment_cancelled',
  'not_supported',
  'storage_unavailable',
  'shutting_down',
] as const;

/** Of what is asked with nothing to be said about it. */
export const emptyBody = z.strictObject({}).meta({ id: 'Empty' });
