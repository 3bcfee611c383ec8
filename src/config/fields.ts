import { z } from 'zod';
import { duration } from '../contract/scalars.ts';
import { milliseconds } from '../lib/units.ts';

export const absoluteFile = z
  .string()
  .max(4096)
  .regex(/^(\/|[A-Za-z]:[\\/])/, 'must be an absolute path');

export const hostAndPort = z
  .string()
  .max(300)
  .regex(
    /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/,
    'must be host:port, such as 127.0.0.1:8888 or [::]:8888',
  )
  .refine(
    (text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535,
    'its port must be at most 65535',
  );

/** An address to which the agent itself sends something. */
const targetUrl = z
  .string()
  .max(2_048)
  .refine((text) => {
    const url = URL.parse(text);
    return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  }, 'must be an http or https address without a user name or a password');

/** What belongs to the connection, and to the form of a body. */
const ownHeaders: ReadonlySet<string> = new Set([
  ...[
    'connection',
    'content-length',
    'expect',
    'host',
    'keep-alive',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ],
  ...['content-encoding', 'content-type'],
]);

/** Headers that the agent adds to what it sends. */
const sentHeaders = z
  .record(
    z
      .string()
      .max(128)
      .regex(/^[A-Za-z0-9-]+$/)
      .refine((name) => !ownHeaders.has(name.toLowerCase()), 'is set by the agent itself'),
    z
      .string()
      .max(4_096)
      .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be one line of Latin-1'),
  )
  .refine((all) => Object.keys(all).length <= 50, 'must not hold more than 50');

/** What every place has to which the agent itself sends something. */
export const receiverFields = {
  url: targetUrl,
  token_file: absoluteFile.optional().describe('Its content is sent as `Authorization: Bearer`.'),
  username: z
    .string()
    .max(256)
    .regex(/^[^:\p{Cc}]+$/u, 'must be a name without a colon')
    .optional(),
  password_file: absoluteFile.optional(),
  headers: sentHeaders.default({}),
};

/** How whoever is sent something is proven, and waited for. */
export const connectionFields = {
  ca_file: absoluteFile.optional().describe('Whom to believe besides the usual authorities.'),
  timeout: duration
    .default('30s')
    .refine((text) => milliseconds(text) >= 100 && milliseconds(text) <= 600_000, 'must be from 100ms to 10m')
    .describe('How long one try may take.'),
};

interface Credentials {
  readonly token_file?: string | undefined;
  readonly username?: string | undefined;
  readonly password_file?: string | undefined;
}

/** A receiver knows the agent by a token, by a name and a password, or not at all. */
export function hasOneKindOfCredentials({ token_file, username, password_file }: Credentials): boolean {
  if (token_file !== undefined) return username === undefined && password_file === undefined;
  return (username === undefined) === (password_file === undefined);
}

/** What is said where it is not so. */
export const oneKindOfCredentials = {
  path: ['username'],
  message: 'must be there with `password_file`, or else neither of them beside `token_file`',
};
