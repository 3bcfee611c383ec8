import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { systemErrorCode } from '../lib/errors.ts';

const description = z.object({
  url: z.url({ protocol: /^https?$/ }),
  pid: z.int().min(1),
  cert_file: z
    .string()
    .optional()
    .describe('Of the certificate that it shows; without it, it speaks plain HTTP.'),
});

/** What an agent writes into its data directory when it listens. */
export type LocalAgent = z.infer<typeof description>;

/** The agent of a data directory; null when none is described there, or when it is not for our eyes. */
export function readLocalAgent(folder: string): LocalAgent | null {
  try {
    return description.parse(JSON.parse(readFileSync(join(folder, 'agent.json'), 'utf8')));
  } catch {
    return null;
  }
}

/** Whether a process with this pid is there. */
export function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}
