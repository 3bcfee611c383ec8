import { refuseArchive, refuseEntry } from './refusal.ts';

/** How many entries an archive may have, with the directories that they need; how deep; and how long names may be, in bytes. */
const mostEntries = 200_000;
const mostParts = 100;
const longestPart = 255;
const longestPath = 4_096;
/** How many links may lead to each other, as in the system. */
const mostLinks = 40;
/** How many names one may lead through. */
const mostSteps = 1_000;

type Kind = 'file' | 'directory' | { readonly link: string };

/**
 * What an archive makes, by the rules for what may stand in it: nothing outside of its own directory, nothing below what
 * is no directory, nothing twice, and no link that leads out, also not by way of others. Each method throws
 * `artifact_refused` with the name of the entry.
 */
export class EntryTree {
  readonly #kinds = new Map<string, Kind>();

  /** The directories that an entry needs and that are not there yet, outermost first, and its own path; null: it is the root. */
  place(name: string): { readonly path: string; readonly missing: readonly string[] } | null {
    const parts = partsOf(name);
    if (parts.length === 0) return null;
    const missing: string[] = [];
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join('/');
      const kind = this.#kinds.get(parent);
      if (kind === undefined) missing.push(parent);
      else if (kind !== 'directory') throw refuseEntry(name, 'stands below something that is no directory');
    }
    for (const parent of missing) this.#add(parent, 'directory');
    return { path: parts.join('/'), missing };
  }

  /** Whether the directory is a new one; one that stands in it twice is the same. */
  addDirectory(name: string, path: string): boolean {
    const kind = this.#kinds.get(path);
    if (kind === 'directory') return false;
    if (kind !== undefined) throw refuseEntry(name, 'stands in it twice');
    this.#add(path, 'directory');
    return true;
  }

  addFile(name: string, path: string): void {
    this.#addNew(name, path, 'file');
  }

  addSymlink(name: string, path: string, link: string): void {
    if (link === '' || link.includes('\0') || Buffer.byteLength(link) >= longestPath)
      throw refuseEntry(name, 'is a link to nothing that can be named');
    if (link.startsWith('/')) throw refuseEntry(name, `is a link to an absolute path: ${link.slice(0, 200)}`);
    this.#addNew(name, path, { link });
  }

  /** Another name of a file; returns the path of that file. */
  addLink(name: string, path: string, link: string): string {
    const target = partsOf(link).join('/');
    if (this.#kinds.get(target) !== 'file')
      throw refuseEntry(name, 'is a hard link to something that is no file before it in the archive');
    this.#addNew(name, path, 'file');
    return target;
  }

  /** The symbolic links, each checked when it is its turn: all that it could lead through must be known by now. */
  *symlinks(): Generator<{ readonly path: string; readonly link: string }> {
    for (const [path, kind] of this.#kinds) {
      if (typeof kind !== 'object') continue;
      this.#follow(path);
      yield { path, link: kind.link };
    }
  }

  /** The directories, innermost first. */
  directories(): string[] {
    const found = [...this.#kinds].flatMap(([path, kind]) => (kind === 'directory' ? [path] : []));
    return found.toSorted((a, b) => b.split('/').length - a.split('/').length);
  }

  #addNew(name: string, path: string, kind: Kind): void {
    if (this.#kinds.has(path)) throw refuseEntry(name, 'stands in it twice');
    this.#add(path, kind);
  }

  #add(path: string, kind: Kind): void {
    this.#kinds.set(path, kind);
    if (this.#kinds.size > mostEntries) throw refuseArchive(`has more than ${mostEntries} entries`);
  }

  /** Goes where a link leads, step by step, as the system would. */
  #follow(start: string): void {
    let at = '';
    let links = 0;
    const ahead = start.split('/').toReversed();
    for (let steps = 0; ahead.length > 0; steps++) {
      if (steps > mostSteps || at.length > longestPath)
        throw refuseEntry(start, 'is a link that leads too far');
      const part = ahead.pop() ?? '';
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (at === '') throw refuseEntry(start, 'is a link that leads out of the archive');
        at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
        continue;
      }
      const next = at === '' ? part : `${at}/${part}`;
      const kind = this.#kinds.get(next);
      if (typeof kind !== 'object') {
        at = next;
        continue;
      }
      links += 1;
      if (links > mostLinks) throw refuseEntry(start, 'is a link that leads in a circle');
      ahead.push(...kind.link.split('/').toReversed());
    }
  }
}

/** The names that lead to an entry from the root of the archive; none: it is the root. */
function partsOf(name: string): string[] {
  if (name === '') throw refuseEntry(name, 'has no name');
  if (name.includes('\0')) throw refuseEntry(name, 'has a NUL character in its name');
  if (name.startsWith('/') || /^[A-Za-z]:[\\/]/.test(name)) throw refuseEntry(name, 'is an absolute path');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refuseEntry(name, 'leads out of the archive by ".."');
  const isTooLong =
    parts.length > mostParts ||
    Buffer.byteLength(name) > longestPath ||
    parts.some((part) => Buffer.byteLength(part) > longestPart);
  if (isTooLong) throw refuseEntry(name, 'has a name that is too long');
  return parts;
}
