import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { type Finding, finding, type IsKnown, type Look } from './finding.ts';

/** How often the files are read again, in milliseconds. */
const interval = 6 * 3_600_000;
/** What is larger is no certificate, in bytes. */
const largest = 1_048_576;

/** What the certificates of the agent say of their ends. One that cannot be read stays as it was: who uses it tells. */
export class Certificates {
  readonly #files: () => readonly string[];
  /** When each ends, in milliseconds since the epoch; null: it cannot be read. */
  readonly #ends = new Map<string, number | null>();
  #readAt = Number.NEGATIVE_INFINITY;

  /** @param files those in use, as they are now */
  constructor(files: () => readonly string[]) {
    this.#files = files;
  }

  /** Has the files read again at the next look. */
  reload(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  look(within: number, isKnown: IsKnown, now: number): Look {
    if (now - this.#readAt >= interval || now < this.#readAt) this.#read(now);
    const again = [this.#readAt + interval];
    const findings: Finding[] = [];
    for (const [file, end] of this.#ends) {
      const isNear = end === null ? isKnown(null, file) : end - now <= within;
      if (isNear) findings.push(finding({ subject: file, summary: summaryOf(file, end, now) }));
      else if (end !== null) again.push(end - within);
    }
    return { findings, again_at: Math.min(...again) };
  }

  #read(now: number): void {
    this.#readAt = now;
    this.#ends.clear();
    for (const file of this.#files()) this.#ends.set(file, endOf(file));
  }
}

function summaryOf(file: string, end: number | null, now: number): string {
  if (end === null) return `the certificate ${file} cannot be read`;
  const day = new Date(end).toISOString();
  return end <= now ? `the certificate ${file} ended at ${day}` : `the certificate ${file} ends at ${day}`;
}

/** When the first certificate of a file ends, its own or one that it is signed by. */
function endOf(file: string): number | null {
  try {
    const found = statSync(file);
    // What is no file, such as a pipe, could hold up the agent.
    if (!found.isFile() || found.size > largest) return null;
    const text = readFileSync(file, 'utf8');
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    const ends = blocks.map((block) => new X509Certificate(block).validToDate.getTime());
    return ends.length === 0 ? null : Math.min(...ends);
  } catch {
    return null;
  }
}
