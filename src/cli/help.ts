import type { Argument, Command, HelpConfiguration } from 'commander';

/** The part of a command's help that shows how it is used. */
export function examples(lines: readonly string[]): string {
  return ['\nExamples:', ...lines.map((line) => `  ${line}`)].join('\n');
}

/** How help is laid out: names alone in the list of commands, so that there is room for what they do. */
export const helpLayout: HelpConfiguration = {
  subcommandTerm: (command: Command): string => command.name(),
  visibleArguments: ({ registeredArguments }: Command): Argument[] =>
    registeredArguments.filter(({ description }) => description !== ''),
};

/** What the help of each command but the program itself ends with. */
export function commonOptionsNote({ command }: { command: Command }): string {
  return command.parent === null ? '' : '\ndavit --help lists the options that every command takes.';
}
