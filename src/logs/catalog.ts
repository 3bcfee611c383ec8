import { mend } from './compression.ts';
import { Run } from './run.ts';
import { listRuns, listServices, type RunName, runFiles } from './run_files.ts';

/** The runs of every service whose output is kept. The disk is read once for each service; from then on this is kept up. */
export class Catalog {
  readonly #directory: string;
  readonly #runs = new Map<string, Run[]>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The services of which there is any output, also those that have not been looked at yet. */
  services(): string[] {
    return [...new Set([...listServices(this.#directory), ...this.#runs.keys()])];
  }

  /** The runs of a service, rising. */
  of(service: string): readonly Run[] {
    return this.#load(service);
  }

  /** The runs of all services that have been looked at. */
  *all(): Generator<Run> {
    for (const runs of this.#runs.values()) yield* runs;
  }

  find(service: string, run: number): Run | undefined {
    return this.#load(service).find(({ name }) => name.run === run);
  }

  /** The run of that name, begun anew, or as it is when it was there before. */
  begin(service: string, name: RunName): Run {
    const runs = this.#load(service);
    const before = runs.find(({ name: { run } }) => run === name.run);
    if (before !== undefined) return before;
    const run = Run.begin(name, runFiles(this.#directory, service, name));
    const place = runs.findLastIndex((other) => other.name.run < name.run) + 1;
    runs.splice(place, 0, run);
    return run;
  }

  /** Forgets runs that are gone. */
  sweep(service: string): void {
    const runs = this.#runs.get(service);
    if (runs === undefined) return;
    const left = runs.filter(({ isRemoved }) => !isRemoved);
    if (left.length < runs.length) this.#runs.set(service, left);
  }

  /** Forgets a service. */
  forget(service: string): void {
    for (const run of this.#runs.get(service) ?? []) run.isRemoved = true;
    this.#runs.delete(service);
  }

  #load(service: string): Run[] {
    const known = this.#runs.get(service);
    if (known !== undefined) return known;
    const runs = listRuns(this.#directory, service)
      .map((name) => ({ name, files: runFiles(this.#directory, service, name) }))
      .filter(({ files }) => mend(files))
      .map(({ name, files }) => Run.find(name, files));
    this.#runs.set(service, runs);
    return runs;
  }
}
