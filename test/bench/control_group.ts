import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const mountPoints = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'];

/** A control group (version 2) as a delegated unit of systemd has one; whatever runs in it ends with it. */
export class ControlGroup {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Null where this host lets nobody make one, or not the one who runs the bench. */
  static make(folder: string): ControlGroup | null {
    const mounted = mountPoints.find((place) => existsSync(join(place, 'cgroup.procs')));
    if (mounted === undefined) return null;
    const group = join(mounted, `davit-bench-${process.pid}-${basename(folder)}.service`);
    try {
      mkdirSync(group);
      // The file came with Linux 5.14; without it a group could not be cleared away for certain.
      if (existsSync(join(group, 'cgroup.kill'))) return new ControlGroup(group);
      rmdirSync(group);
      return null;
    } catch {
      return null;
    }
  }

  add(pid: number): void {
    writeFileSync(join(this.#folder, 'cgroup.procs'), String(pid));
  }

  /** Kills what is in it, and removes it. Throws when the system does not let go of it within ten seconds. */
  async remove(): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      try {
        writeFileSync(join(this.#folder, 'cgroup.kill'), '1');
        return removeEmpty(this.#folder);
      } catch (error) {
        if (tries === 1000) throw error;
        await sleep(10);
      }
    }
  }
}

function removeEmpty(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmpty(join(folder, entry.name));
  }
  rmdirSync(folder);
}
