import { setTimeout as sleep } from 'node:timers/promises';

/** Looks every `pause` milliseconds until `fact` holds. Throws after `seconds`, with what was waited for. */
export async function until(
  what: string,
  fact: () => boolean | Promise<boolean>,
  { seconds = 60, pause = 10 }: { readonly seconds?: number; readonly pause?: number } = {},
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await fact())) {
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s in vain until ${what}`);
    await sleep(pause);
  }
}
