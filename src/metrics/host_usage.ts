import { existsSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDisks, parseLoad, parseMemory, parseNetwork, parsePressure, parseStat } from './proc_files.ts';
import type { HostUsage } from './tick.ts';

/** How long the file system of the data directory may take to answer, in milliseconds: one on the network may hang. */
const diskTimeout = 1_000;

/** Reads what the host does and has. */
export class HostReader {
  readonly #directory: string;
  #disk: HostUsage['disk'] | null = null;
  #isAsked = false;

  /** @param directory the data directory. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** null where the system does not tell. */
  async read(): Promise<HostUsage | null> {
    const stat = readOptional('/proc/stat');
    const memory = readOptional('/proc/meminfo');
    if (stat === '' || memory === '') return null;
    return {
      ...parseStat(stat),
      load: parseLoad(readOptional('/proc/loadavg')),
      ...parseMemory(memory),
      disk: await this.#readDisk(),
      disk_io: parseDisks(readOptional('/proc/diskstats'), (name) => existsSync(`/sys/block/${name}/device`)),
      network: parseNetwork(readOptional('/proc/net/dev'), (name) =>
        existsSync(`/sys/class/net/${name}/device`),
      ),
      pressure: readPressure(),
    };
  }

  /** What it was last, where the file system does not answer in time. */
  async #readDisk(): Promise<HostUsage['disk']> {
    if (!this.#isAsked) {
      this.#isAsked = true;
      const asked = this.#ask().finally(() => {
        this.#isAsked = false;
      });
      await Promise.race([asked, sleep(diskTimeout, undefined, { ref: false })]);
    }
    return this.#disk ?? { total: 0, available: 0, files_free: 0 };
  }

  async #ask(): Promise<void> {
    try {
      const { bsize, blocks, bavail, ffree } = await statfs(this.#directory);
      this.#disk = { total: blocks * bsize, available: bavail * bsize, files_free: ffree };
    } catch {
      // What it was before stays.
    }
  }
}

/** null where the kernel does not tell, or was told at its start not to count it. */
function readPressure(): HostUsage['pressure'] {
  const [cpu, memory, io] = ['cpu', 'memory', 'io'].map((kind) =>
    parsePressure(readOptional(`/proc/pressure/${kind}`)),
  );
  return cpu == null || memory == null || io == null ? null : { cpu, memory, io };
}

function readOptional(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
