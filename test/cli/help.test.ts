import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Command } from 'commander';
import { exitCode } from '../../src/cli/exit_codes.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { stubs } from './stubs.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/cli.md'), 'utf8');
const out = new PassThrough();
const program = buildProgram(
  {
    environment: {},
    input: process.stdin,
    out,
    err: out,
    ...stubs(out),
  },
  { rest: [], onEnd: () => {} },
);

/** Every command that somebody can run, with the words that lead to it. */
function leaves(command: Command, path: string): [string, Command][] {
  const shown = command.createHelp().visibleCommands(command);
  const inner = shown
    .filter((each) => each.name() !== 'help')
    .flatMap((each) => leaves(each, `${path} ${each.name()}`));
  return inner.length > 0 ? inner : [[path, command]];
}

function help(command: Command): string {
  command.outputHelp();
  return String(out.read());
}

const commands = leaves(program, 'davit');

test('the help of the program fits 80 columns and has every exit code', () => {
  const text = help(program);
  assert.deepEqual(
    text.split('\n').filter((line) => line.length > 80),
    [],
  );
  for (const code of Object.values(exitCode).filter((each) => each <= 130))
    assert.match(text, new RegExp(` ${code}  `));
});

for (const [words, command] of commands) {
  test(`the help of ${words} fits 80 columns and shows how it is used`, () => {
    const text = help(command);
    assert.deepEqual(
      text.split('\n').filter((line) => line.length > 80),
      [],
    );
    assert.match(text, new RegExp(`\nExamples:\n(.*\n)*.*${words}`));
    assert.match(text, /davit --help lists the options that every command takes/);
  });

  test(`docs/cli.md shows how ${words} is used`, () => {
    assert.match(page, new RegExp(`^${words}( |$)`, 'm'));
  });
}

test('docs/cli.md shows no command and no flag that there is not', () => {
  const known = commands.map(([words]) => words);
  const blocks = [...page.matchAll(/```sh\n([^`]*)```/g)].flatMap(([, block = '']) => block.split('\n'));
  const shown = blocks.flatMap((line) => /davit(?: [a-z-]+)+/.exec(line.replace(/\$?\(?<\(/, ''))?.[0] ?? []);
  const strange = shown.filter((line) => !known.some((words) => `${line} `.startsWith(`${words} `)));
  assert.deepEqual(
    strange.filter((line) => !line.startsWith('davit help')),
    [],
  );
  const options = new Set(
    [program, ...commands.map(([, command]) => command)]
      .flatMap(({ options: own }) => own)
      .flatMap(({ long }) => long ?? []),
  );
  const flags = [...page.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([flag]) => flag);
  assert.deepEqual(
    [...new Set(flags)].filter((flag) => !options.has(flag) && flag !== '--help'),
    [],
  );
});

test('docs/cli.md has every exit code, every common flag and every variable', () => {
  const codes = [...page.matchAll(/^\| `(\d+)` \|/gm)].map(([, code]) => Number(code));
  assert.deepEqual(codes, Object.values(exitCode));
  for (const { long } of program.options) assert.ok(page.includes(`${long}`), long);
  for (const [variable] of help(program).matchAll(/DAVIT_\w+/g))
    assert.ok(page.includes(`| \`${variable}\` |`), variable);
});
