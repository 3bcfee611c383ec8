import { execFileSync } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { program } from './programs.ts';

/** That a process runs, told by itself. */
export interface Announcement {
  readonly name: string;
  readonly pid: number;
  /** When it arrived here, by `performance.now()`. */
  readonly at: number;
}

/** A named pipe into which processes write as soon as they run: nobody has to look for them. */
export class Announcements {
  readonly #pipe: string;
  readonly #socket: Socket;
  readonly #waiting = new Map<string, (announced: Announcement) => void>();
  readonly #counts = new Map<string, number>();

  constructor(folder: string) {
    this.#pipe = join(folder, 'announcements');
    execFileSync('mkfifo', [this.#pipe]);
    // Open for writing, too: it never comes to its end.
    const fd = openSync(this.#pipe, constants.O_RDWR | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
    createInterface({ input: this.#socket }).on('line', (line) => this.#take(line));
  }

  /** The command of a program that announces itself under a name, and stays or ends at once. */
  command(name: string, ends = false): readonly string[] {
    return program('announces.sh', this.#pipe, name, ...(ends ? ['once'] : []));
  }

  /** The next process of this name. Throws after `seconds`. */
  next(name: string, seconds = 60): Promise<Announcement> {
    const announced = new Promise<Announcement>((resolve, reject) => {
      const late = () => reject(new Error(`${name} was not started within ${seconds} s`));
      const timer = setTimeout(late, seconds * 1000);
      this.#waiting.set(name, (announced) => {
        clearTimeout(timer);
        resolve(announced);
      });
    });
    // Whoever asked may have failed before it waits.
    announced.catch(() => {});
    return announced;
  }

  /** How many processes of this name there were. */
  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }

  #take(line: string): void {
    const at = performance.now();
    const [name = '', pid] = line.split(' ');
    this.#counts.set(name, this.count(name) + 1);
    const tell = this.#waiting.get(name);
    this.#waiting.delete(name);
    tell?.({ name, pid: Number(pid), at });
  }
}
