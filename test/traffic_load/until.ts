import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when `fact` holds. Throws after a minute, which is long on any machine, with what was waited for. */
export async function until(what: string, fact: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await fact())) {
    if (performance.now() > deadline) throw new Error(`waited a minute in vain until ${what}`);
    await sleep(10);
  }
}
