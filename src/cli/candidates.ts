import type { Argument, Command, Option } from 'commander';

/** A word that may stand where the cursor is, and what it is. */
export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** What may stand at the cursor: words that we know, names that have to be looked up, or a path. */
export type Expected =
  | { readonly kind: 'words'; readonly words: readonly Candidate[] }
  | { readonly kind: 'services' | 'contexts' | 'files' | 'directories' };

const nothing: Expected = { kind: 'words', words: [] };

/** By the name between the brackets of an argument or an option's value. */
const kinds: Readonly<Record<string, Expected>> = {
  service: { kind: 'services' },
  context: { kind: 'contexts' },
  file: { kind: 'files' },
  directory: { kind: 'directories' },
};

/** What may follow the words that are typed; the last of them is being typed, and may be empty. */
export function expected(program: Command, words: readonly string[]): Expected {
  const current = words.at(-1) ?? '';
  const typed = words.slice(0, -1);
  // After -- stands somebody else's command.
  if (typed.includes('--')) return { kind: 'files' };
  const { command, position, open } = walk(program, typed);
  if (open !== null) return ofValue(open.argChoices, valueName(open));
  if (current.startsWith('-')) return { kind: 'words', words: optionWords(command) };
  const subcommands = visibleCommands(command);
  if (subcommands.length > 0) return { kind: 'words', words: position === 0 ? subcommands : [] };
  const argument = argumentAt(command, position);
  return argument === undefined ? nothing : ofValue(argument.argChoices, argument.name());
}

interface Place {
  readonly command: Command;
  /** How many arguments the command has so far. */
  readonly position: number;
  /** The option whose value comes next. */
  readonly open: Option | null;
}

function walk(program: Command, typed: readonly string[]): Place {
  let place: Place = { command: program, position: 0, open: null };
  for (const word of typed) place = step(place, word);
  return place;
}

function step({ command, position, open }: Place, word: string): Place {
  if (open !== null) return { command, position, open: null };
  if (word.startsWith('-')) {
    const option = optionsOf(command).find(({ short, long }) => word === short || word === long);
    return { command, position, open: option && (option.required || option.optional) ? option : null };
  }
  const subcommand = position === 0 ? command.commands.find((each) => each.name() === word) : undefined;
  return subcommand
    ? { command: subcommand, position: 0, open: null }
    : { command, position: position + 1, open: null };
}

/** The command's own options and those of the commands above it. */
function optionsOf(command: Command): Option[] {
  const own = command.createHelp().visibleOptions(command);
  return command.parent ? [...own, ...optionsOf(command.parent)] : own;
}

function optionWords(command: Command): Candidate[] {
  const words = new Map(
    optionsOf(command).map(({ long, short, description }) => [long ?? short ?? '', description]),
  );
  return [...words].map(([word, description]) => ({ word, description }));
}

function visibleCommands(command: Command): Candidate[] {
  const shown = command.createHelp().visibleCommands(command);
  return shown.map((each) => ({ word: each.name(), description: each.description() }));
}

function argumentAt({ registeredArguments }: Command, position: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[position] ?? (last?.variadic ? last : undefined);
}

function ofValue(choices: readonly string[] | undefined, name: string): Expected {
  if (choices) return { kind: 'words', words: choices.map((word) => ({ word, description: '' })) };
  return kinds[name] ?? nothing;
}

/** The `file` of `--key-file <file>`. */
function valueName({ flags }: Option): string {
  return /[<[]([\w-]+)/.exec(flags)?.[1] ?? '';
}
