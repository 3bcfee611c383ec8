import { z } from 'zod';
import { duration, scope, scopes, serviceGlob, time } from './scalars.ts';

export const apiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(scope),
    services: z.array(serviceGlob).nullable().describe('null: every service.'),
    created_at: time,
    expires_at: time.nullable(),
    last_used_at: time.nullable(),
    revoked_at: time.nullable(),
  })
  .meta({ id: 'ApiKey' });
export type ApiKey = z.infer<typeof apiKey>;

export const createdApiKey = apiKey
  .extend({ key: z.string().describe('The secret itself, shown this once.') })
  .meta({ id: 'CreatedApiKey' });
export type CreatedApiKey = z.infer<typeof createdApiKey>;
export const apiKeyList = z.object({ keys: z.array(apiKey) }).meta({ id: 'ApiKeyList' });
export type ApiKeyList = z.infer<typeof apiKeyList>;

export const keyPath = z.strictObject({
  key_id: z.string().regex(/^[a-z0-9]{1,32}$/, 'must be the id of a key'),
});
export const createKey = z
  .strictObject({
    name: z.string().min(1).max(100).describe('Who or what uses it.'),
    scopes: z.array(scope).min(1).max(scopes.length),
    services: z.array(serviceGlob).min(1).max(100).nullable().default(null).describe('null: every service.'),
    expires_in: duration.nullable().default(null).describe('null: never.'),
  })
  .meta({ id: 'CreateKey' });
