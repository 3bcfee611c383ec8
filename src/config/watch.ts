import { createHash } from 'node:crypto';
import { readFileSync, type Stats, statSync } from 'node:fs';

export interface ConfigWatchOptions {
  readonly file: string;
  /** How often it is looked at, in milliseconds. */
  readonly interval: number;
  /** The file holds something else than what was last taken, and rests. */
  readonly onChange: () => void;
}

/** Watches a configuration file until it is closed. */
export interface ConfigWatch extends Disposable {
  /** What the file holds now is known: it is no change any more. */
  taken(): void;
}

/** How many looks in a row have to find the same, and no file at all: an editor may remove it before it writes the new one. */
const restingLooks = 2;
const missingLooks = 6;

/**
 * Looks at a configuration file again and again, as no notification of the system covers all the ways in which one is
 * replaced: written in place, renamed over, a link or a link above it that leads elsewhere (as Kubernetes does it), its
 * folder removed and made again. A file that is being written is left until it rests. Each content is told once.
 */
export function watchConfig({ file, interval, onChange }: ConfigWatchOptions): ConfigWatch {
  let taken = contentHash(file);
  let seen = fingerprint(file);
  let looks = 0;
  // What can be read only once, such as a pipe of a shell, is not looked at again.
  const isWatched = seen !== special;
  const look = () => {
    const now = fingerprint(file);
    looks = now === seen ? looks + 1 : 1;
    seen = now;
    if (now === special || looks !== (now === missing ? missingLooks : restingLooks)) return;
    const content = contentHash(file);
    if (content === taken) return;
    taken = content;
    onChange();
  };
  const timer = isWatched ? setInterval(look, interval).unref() : undefined;
  return {
    taken() {
      seen = fingerprint(file);
      looks = 0;
      taken = contentHash(file);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

const missing = 'missing';
const special = 'special';

/** Links are followed. */
function fingerprint(file: string): string {
  let stat: Stats;
  try {
    stat = statSync(file);
  } catch {
    return missing;
  }
  if (!stat.isFile()) return special;
  const { dev, ino, size, mtimeMs, ctimeMs } = stat;
  return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
}

/** Null: it cannot be read. */
function contentHash(file: string): string | null {
  if (fingerprint(file) === special) return null;
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch {
    return null;
  }
}
