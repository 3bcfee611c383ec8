type Command = string | readonly string[];

/** A command as it stands in a field: a list with an argument on each line. */
export function commandText(command: Command): string {
  return typeof command === 'string' ? command : command.join('\n');
}

export function commandFrom(text: string, isAList: boolean): Command {
  return isAList ? text.split('\n').filter((line) => line !== '') : text;
}

/** What lines of `NAME=value` say; null where one says something else. */
export function variables(text: string): Record<string, string> | null {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const pairs = lines.map((line) => /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line));
  if (pairs.includes(null)) return null;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']));
}
