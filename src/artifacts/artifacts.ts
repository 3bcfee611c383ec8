import type { Readable } from 'node:stream';
import type { ArtifactList } from '../contract/artifacts.ts';
import type { Spec } from '../contract/spec.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { Registry } from '../services/registry.ts';
import type { Service } from '../services/service.ts';
import { ReleaseFolders } from './release_folders.ts';
import { keptArchives, type ReleaseFacts } from './retention.ts';
import type { Owner } from './unpack.ts';
import { type UploadRequest, UploadStore } from './upload_store.ts';

/** How much is taken in, and how much of it is kept. */
interface ArtifactLimits {
  /** The largest archive, and what one may come to when it is unpacked, in bytes. */
  readonly size: number;
  readonly unpacked: number;
  /** How many archives of a service are kept of those that once ran well. */
  readonly count: number;
}

interface ArtifactsOptions {
  readonly registry: Registry;
  /** Where archives are kept. */
  readonly uploads: string;
  /** Where they are unpacked. */
  readonly root: string;
  /** The data directory of the agent, by which it is told from others. */
  readonly agent: string;
  readonly limits: () => ArtifactLimits;
  /** As whom a service runs, and so whose the files are. Throws where there is no such account. */
  readonly ownerOf: (spec: Spec) => Owner;
  readonly onProblem: (message: string) => void;
}

/** An archive that was taken in. */
export interface ReceivedArtifact {
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
  /** From then on it stays only as long as others do. */
  readonly release: () => void;
}

/**
 * What pipelines upload for services to run: takes archives in, has their files ready before a release starts, lets
 * `current` lead to those of the current release, and removes what no release needs any more.
 */
export class Artifacts {
  readonly #options: ArtifactsOptions;
  readonly #uploads: UploadStore;
  readonly #folders: ReleaseFolders;
  /** Which release `current` is of. */
  readonly #pointed = new Map<string, number>();
  /** What was made ready last: a release of it may be about to start. */
  readonly #prepared = new Map<string, string>();
  #unsubscribe = () => {};

  constructor(options: ArtifactsOptions) {
    const { uploads, root, agent, limits, onProblem } = options;
    this.#options = options;
    this.#uploads = new UploadStore({ directory: uploads, limit: () => limits().size });
    this.#folders = new ReleaseFolders({ root, agent, limit: () => limits().unpacked, onProblem });
  }

  /** Takes an upload in. Throws `body_too_large`, `checksum_mismatch`, `storage_unavailable`, with nothing left of it. */
  async receive(service: string, source: Readable, request: UploadRequest): Promise<ReceivedArtifact> {
    try {
      const { release, ...received } = await this.#uploads.receive(service, source, request);
      const drop = () => {
        release();
        this.#prune(service);
      };
      return { ...received, release: drop };
    } catch (error) {
      this.#prune(service);
      throw error;
    }
  }

  /** Where the files are that an account runs of an archive. */
  directory(service: string, sha256: string, owner: Owner): string {
    return this.#folders.directory(service, sha256, owner);
  }

  /** Has the files ready that a spec runs. Throws `artifact_not_found`, `artifact_refused`, `storage_unavailable`. */
  async prepare(service: string, spec: Spec): Promise<void> {
    if (spec.artifact === null) return;
    const { sha256 } = spec.artifact;
    const owner = this.#options.ownerOf(spec);
    this.#prepared.set(service, sha256);
    if (await this.#folders.isMade(service, sha256, owner)) return;
    if (!(await this.#uploads.has(service, sha256)))
      throw new DavitError(
        'artifact_not_found',
        `the artifact ${sha256} of "${service}" is not there (any more): upload it again`,
      );
    try {
      await this.#folders.make(service, sha256, owner, this.#uploads.file(service, sha256));
    } catch (error) {
      // It would be refused for ever.
      if (error instanceof DavitError && error.code === 'artifact_refused')
        await this.#uploads.remove(service, sha256);
      throw error;
    }
  }

  /** Throws `service_not_found`: what is uploaded for no service would be kept for nothing. */
  requireService(service: string): void {
    this.#options.registry.get(service);
  }

  /** The archives that are kept of a service. Throws `service_not_found`. */
  async list(service: string): Promise<ArtifactList> {
    const { registry } = this.#options;
    const current = registry.spec(service).artifact?.sha256;
    const releases = this.#releases(service);
    const artifacts = (await this.#uploads.list(service)).map(({ sha256, size, uploaded_at }) => ({
      sha256,
      size,
      uploaded_at: new Date(uploaded_at).toISOString(),
      releases: releases.filter((each) => each.sha256 === sha256).map(({ release }) => release),
      current: sha256 === current,
    }));
    return { service, artifacts };
  }

  /** Removes what an agent that died left, and from then on what no release needs. */
  async begin(): Promise<void> {
    const { registry, onProblem } = this.#options;
    const isKnown = (service: string) => registry.find(service) !== null;
    this.#unsubscribe = registry.subscribe((service) => this.#noteChange(service));
    try {
      await this.#uploads.tidy(isKnown);
      await this.#folders.tidy(isKnown);
    } catch (error) {
      onProblem(`what is left of uploads cannot be removed: ${errorMessage(error)}`);
    }
    for (const { id } of registry.services()) {
      // Whoever starts it again by itself finds its files, also where a power cut took the last step of their unpacking.
      await this.prepare(id, registry.spec(id)).catch((error) =>
        onProblem(`the files of "${id}" are not there: ${errorMessage(error)}`),
      );
      this.#noteChange(id);
    }
  }

  /** Removes all of a service that is gone. */
  async forget(service: string): Promise<void> {
    const { onProblem } = this.#options;
    this.#pointed.delete(service);
    this.#prepared.delete(service);
    try {
      await this.#uploads.removeAll(service);
      await this.#folders.keepOnly(service, null);
    } catch (error) {
      onProblem(`the artifacts of "${service}" cannot be removed: ${errorMessage(error)}`);
    }
  }

  close(): void {
    this.#unsubscribe();
  }

  #noteChange(id: string): void {
    const service = this.#options.registry.find(id);
    if (service === null || this.#pointed.get(id) === service.current_release) return;
    this.#pointed.set(id, service.current_release);
    // Most services have no artifact, and never had one.
    if (this.#options.registry.spec(id).artifact === null && !this.#folders.has(id)) return;
    this.#point(id);
    this.#prune(id);
  }

  /** At once: whoever was told that a release is current finds its files. */
  #point(id: string): void {
    const { registry, ownerOf, onProblem } = this.#options;
    try {
      const spec = registry.spec(id);
      const sha256 = spec.artifact?.sha256;
      this.#folders.point(
        id,
        sha256 === undefined ? null : this.#folders.directory(id, sha256, ownerOf(spec)),
      );
    } catch (error) {
      onProblem(`current of "${id}" cannot be switched: ${errorMessage(error)}`);
    }
  }

  #prune(id: string): void {
    const { registry, limits, onProblem } = this.#options;
    const work = async () => {
      const service = registry.find(id);
      if (service === null) {
        // What was uploaded for it has made no service.
        if (this.#uploads.isAnyHeld(id)) await this.#uploads.removeAll(id);
        else await this.forget(id);
        return;
      }
      const present = (await this.#uploads.list(id)).map(({ sha256 }) => sha256);
      const kept = keptArchives({
        releases: this.#releases(id),
        inUse: releasesInUse(service),
        uploads: present,
        count: limits().count,
      });
      const prepared = this.#prepared.get(id);
      if (prepared !== undefined) kept.add(prepared);
      for (const sha256 of present)
        if (this.#uploads.isHeld(id, sha256)) kept.add(sha256);
        else if (!kept.has(sha256)) await this.#uploads.remove(id, sha256);
      await this.#folders.keepOnly(id, kept);
    };
    registry.lock
      .run(id, work)
      .catch((error) => onProblem(`old artifacts of "${id}" cannot be removed: ${errorMessage(error)}`));
  }

  #releases(id: string): ReleaseFacts[] {
    return this.#options.registry
      .releases(id)
      .map(({ release, outcome, spec }) => ({ release, outcome, sha256: spec.artifact?.sha256 ?? null }));
  }
}

/** The releases that run, are current, or are under way. */
function releasesInUse({ instances, current_release, under_way }: Service): Set<number> {
  const running = instances.flatMap(({ process }) => process?.release ?? []);
  const moving = under_way === null ? [] : [under_way.release, under_way.before?.release ?? []].flat();
  return new Set([current_release, ...running, ...moving]);
}
