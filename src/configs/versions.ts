import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DavitError, errorMessage, systemErrorCode } from '../lib/errors.ts';
import { writePrivateFile } from '../lib/private_file.ts';

/** One content that a file had, without the content itself. */
export interface KeptVersion {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Null: it was found. */
  readonly actor: string | null;
  readonly origin: 'written' | 'found';
  readonly restored_from: number | null;
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

interface Index {
  /** No number is given twice. */
  readonly next: number;
  /** Oldest first. */
  readonly versions: readonly KeptVersion[];
}

/** How many versions of a file are kept; the oldest go first. */
const keptVersions = 20;
/** Of how many files of a service: those that its spec names, and some that earlier specs named. */
const keptFiles = 200;
const indexName = 'index.json';

export function sha256Of(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The contents that configuration files had: `<directory>/<service>/<name>/<version>`, with an index beside them. */
export class Versions {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Oldest first. */
  list(service: string, name: string): readonly KeptVersion[] {
    return this.#read(service, name).versions;
  }

  /** Throws `config_not_found`. */
  find(service: string, name: string, version: number): KeptVersion {
    const found = this.list(service, name).find((kept) => kept.version === version);
    if (found !== undefined) return found;
    throw new DavitError('config_not_found', `"${name}" of service "${service}" has no version ${version}`);
  }

  /** Throws `config_not_found`. */
  content(service: string, name: string, version: number): Buffer {
    const { sha256 } = this.find(service, name, version);
    const file = this.#file(service, name, String(version));
    const content = this.#try(file, 'read', () => readFileSync(file));
    if (sha256Of(content) === sha256) return content;
    throw new DavitError('storage_unavailable', `${file} is damaged: it is not what was kept`);
  }

  /** Keeps a content. Throws `storage_unavailable`, with nothing changed. */
  add(
    service: string,
    name: string,
    content: Buffer,
    facts: Pick<KeptVersion, 'actor' | 'origin' | 'restored_from'>,
  ): KeptVersion {
    const { next, versions } = this.#read(service, name);
    const added = {
      version: next,
      time: Date.now(),
      ...facts,
      sha256: sha256Of(content),
      size: content.length,
    };
    const kept = [...versions, added].slice(-keptVersions);
    const file = this.#file(service, name, String(next));
    this.#try(file, 'written', () => {
      mkdirSync(this.#file(service, name), { recursive: true, mode: 0o700 });
      writePrivateFile(file, content);
      this.#write(service, name, { next: next + 1, versions: kept });
    });
    this.#removeOthers(service, name, kept);
    this.#forgetOldest(service, name);
    return added;
  }

  /** Forgets a version. */
  drop(service: string, name: string, version: number): void {
    const { next, versions } = this.#read(service, name);
    const kept = versions.filter((other) => other.version !== version);
    this.#try(this.#file(service, name), 'written', () =>
      this.#write(service, name, { next, versions: kept }),
    );
    this.#removeOthers(service, name, kept);
  }

  /** Forgets everything of a service. */
  removeAll(service: string): void {
    rmSync(this.#file(service), { recursive: true, force: true });
  }

  /** Forgets everything of all other services. */
  keepOnly(services: ReadonlySet<string>): void {
    for (const service of entries(this.#directory)) if (!services.has(service)) this.removeAll(service);
  }

  #file(...names: string[]): string {
    return join(this.#directory, ...names);
  }

  #read(service: string, name: string): Index {
    const file = this.#file(service, name, indexName);
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Index;
    } catch (cause) {
      if (systemErrorCode(cause) === 'ENOENT') return { next: 1, versions: [] };
      throw new DavitError('storage_unavailable', `${file} cannot be read: ${errorMessage(cause)}`, {
        cause,
      });
    }
  }

  #write(service: string, name: string, index: Index): void {
    writePrivateFile(this.#file(service, name, indexName), `${JSON.stringify(index)}\n`);
  }

  #try<T>(file: string, what: 'read' | 'written', work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw new DavitError('storage_unavailable', `${file} cannot be ${what}: ${errorMessage(cause)}`, {
        cause,
      });
    }
  }

  /** Removes the contents that no index names, also those that an agent left that died in between. */
  #removeOthers(service: string, name: string, kept: readonly KeptVersion[]): void {
    const names = new Set([indexName, ...kept.map(({ version }) => String(version))]);
    for (const entry of entries(this.#file(service, name)))
      if (!names.has(entry)) rmSync(this.#file(service, name, entry), { force: true });
  }

  /** Forgets the file of a service that was written longest ago, where there are too many. */
  #forgetOldest(service: string, written: string): void {
    const names = entries(this.#file(service)).filter((name) => name !== written);
    if (names.length < keptFiles) return;
    const times = names.map((name) => ({ name, time: this.list(service, name).at(-1)?.time ?? 0 }));
    const [oldest] = times.toSorted((a, b) => a.time - b.time);
    if (oldest !== undefined) rmSync(this.#file(service, oldest.name), { recursive: true, force: true });
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
