import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
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
      return new ControlGroup(group);
    } catch {
      return null;
    }
  }

  add(pid: number): void {
    writeFileSync(join(this.#folder, 'cgroup.procs'), String(pid));
  }

  /** Kills what is in it, and removes it. */
  async remove(): Promise<void> {
    writeFileSync(join(this.#folder, 'cgroup.kill'), '1');
    while (/populated 1/.test(readFileSync(join(this.#folder, 'cgroup.events'), 'utf8'))) await sleep(5);
    removeEmpty(this.#folder);
  }
}

function removeEmpty(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmpty(join(folder, entry.name));
  }
  rmdirSync(folder);
}
