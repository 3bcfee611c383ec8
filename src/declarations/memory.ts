import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';
import { writePrivateFile } from '../lib/private_file.ts';

const kept = z.object({
  plan_key: z.string().regex(/^[0-9a-f]{64}$/),
  /** By the file: the hash of what was applied of it last, and the name of its declaration. */
  applied: z.record(z.string(), z.object({ hash: z.string(), name: z.string() })),
});
type Kept = z.infer<typeof kept>;

/** What is known of a watched file that was applied. */
export type AppliedFile = Kept['applied'][string];

/** What of declarations outlasts the agent, in a file of the data directory. */
export class DeclarationMemory {
  readonly #file: string;
  readonly #onProblem: (message: string) => void;
  #kept: Kept;

  constructor(file: string, onProblem: (message: string) => void) {
    this.#file = file;
    this.#onProblem = onProblem;
    const found = this.#read();
    this.#kept = found ?? { plan_key: randomBytes(32).toString('hex'), applied: {} };
    if (found === null) this.#write();
  }

  get planKey(): string {
    return this.#kept.plan_key;
  }

  /** What was applied, by its file. */
  get applied(): Readonly<Record<string, AppliedFile>> {
    return this.#kept.applied;
  }

  note(file: string, applied: AppliedFile): void {
    this.#kept = { ...this.#kept, applied: { ...this.#kept.applied, [file]: applied } };
    this.#write();
  }

  forget(file: string): void {
    const { [file]: _, ...rest } = this.#kept.applied;
    this.#kept = { ...this.#kept, applied: rest };
    this.#write();
  }

  #read(): Kept | null {
    try {
      return kept.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
    } catch (error) {
      // Without it, plans made before are unknown, and what is watched is applied once more: nothing is lost.
      if (systemErrorCode(error) !== 'ENOENT')
        this.#onProblem(`${this.#file} cannot be read and is made anew: ${errorMessage(error)}`);
      return null;
    }
  }

  #write(): void {
    try {
      writePrivateFile(this.#file, `${JSON.stringify(this.#kept)}\n`);
    } catch (error) {
      this.#onProblem(`${this.#file} cannot be written: ${errorMessage(error)}`);
    }
  }
}
