import { z } from 'zod';

const holdsNoNul = (text: string): boolean => !text.includes('\0');

export const absolutePath = z
  .string()
  .max(4096)
  .regex(/^(\/|[A-Za-z]:[\\/])/, 'must be an absolute path')
  .refine(holdsNoNul, 'must not hold a NUL character')
  .meta({ examples: ['/opt/web'] });

/** An argument of a command line, or the like. */
export const argument = z.string().max(131_072).refine(holdsNoNul, 'must not hold a NUL character');

/** A string runs in a shell, a list runs as it stands. */
export const command = z
  .union([
    argument.regex(/\S/, 'must not be empty'),
    z.tuple([argument.min(1)], argument).refine((list) => list.length <= 4096),
  ])
  .meta({ id: 'Command', examples: ['node server.js', ['node', 'server.js']] });
export type Command = z.infer<typeof command>;

/** A name or an address of a host. */
export const networkHost = z
  .string()
  .max(253)
  .regex(/^[0-9A-Za-z:._-]+$/, 'must be the name or the address of a host');

/** A regular expression in RE2's syntax; whoever uses it says what is wrong with it. */
export const pattern = z.string().min(1).max(1000);
