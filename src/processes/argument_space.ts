import { readFileSync } from 'node:fs';

/** The most bytes that one argument or variable may have, with the NUL that ends it (execve(2)). */
const largestString = 131_072;
/** What every process may have for all of them. */
const leastSpace = 131_072;
const mostSpace = 6 * 2 ** 20;

/** Why the system would not take these arguments and variables; null where it would. */
export function whyTooLong(args: readonly string[], env: Readonly<Record<string, string>>): string | null {
  const variables = Object.entries(env).map(([name, value]) => ({ name, size: sizeOf(`${name}=${value}`) }));
  const argument = args.findIndex((text) => sizeOf(text) > largestString);
  if (argument !== -1) return `its argument ${argument} is longer than ${largestString} bytes`;
  const variable = variables.find(({ size }) => size > largestString);
  if (variable !== undefined) return `its variable ${variable.name} is longer than ${largestString} bytes`;
  const strings = [...args.map(sizeOf), ...variables.map(({ size }) => size)];
  const total = strings.reduce((sum, size) => sum + size + 8, 0);
  if (total <= leastSpace) return null;
  const space = Math.min(Math.max(stackSize() / 4, leastSpace), mostSpace);
  return total > space
    ? `its arguments and variables have ${total} bytes together, and the system takes ${space}`
    : null;
}

function sizeOf(text: string): number {
  return Buffer.byteLength(text) + 1;
}

/** The limit of the stack, of which a quarter is for arguments and variables. */
function stackSize(): number {
  try {
    const [, size] = /^Max stack size +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return size === 'unlimited' ? Number.POSITIVE_INFINITY : Number(size);
  } catch {
    return 0;
  }
}
