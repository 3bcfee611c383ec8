import type { ProgramStart } from './account_switch.ts';

/**
 * The descriptors that a wrapper is given besides its output: its lifeline, and the file of its notes, which are
 * `started <pid>` and, in a second line, the exit code.
 */
const lifelineDescriptor = 3;
const notesDescriptor = 4;

/** How a program is started under a wrapper, and what lets the wrapper go once it is written to its standard input. */
export interface WrappedProgram {
  readonly start: ProgramStart;
  readonly script: string;
}

const heldPrefix = 'DAVIT_HELD_';
/** Names that a shell does not take from a script, and those by which davit knows the wrapper, too. */
const notHeld = /^(DAVIT_.*|_|UID|EUID|PPID|LINENO|OPTIND|SHELLOPTS|BASH[A-Z_]*)$/;

/**
 * Every signal that can be caught. The group is signalled as a whole, and the wrapper has to outlive what it waits for:
 * a trap, unlike an ignored signal, is not inherited by the program.
 */
const caught = '1 2 3 4 5 6 7 8 10 11 12 13 14 15 16 24 25 26 27 28 29 30 31';

/**
 * Puts a program under a wrapper: a shell that waits for its script. When the agent dies before it has written that,
 * there is nothing to read, and nothing is started.
 *
 * Neither the wrapper nor what switches users before it must see the program's environment, which says what code is
 * loaded into a process (LD_PRELOAD and more): the variables travel under other names, and are given back last.
 */
export function wrap({ file, args, env }: ProgramStart): WrappedProgram {
  const names = Object.keys(env).filter((key) => /^[A-Za-z_]\w*$/.test(key) && !notHeld.test(key));
  const held = Object.entries(env).map(([key, value]) => [
    names.includes(key) ? heldPrefix + key : key,
    value,
  ]);
  const start = { file: '/bin/sh', args: ['-s', '--', file, ...args], env: Object.fromEntries(held) };
  return { start, script: script(givingBack(names)) };
}

/**
 * Runs the arguments as a child, and gives the exit code of that as its own. What the agent learns by that and by the
 * lifeline also stands in the notes, for when no agent is there. The shell's own remarks, such as "Terminated", are kept
 * out of the program's output.
 */
function script(giveBack: string): string {
  return `{
trap : ${caught}
exec 5>&2 2>/dev/null
(
read -r DAVIT_PID DAVIT_REST </proc/self/stat || DAVIT_PID=$(exec /bin/sh -c 'echo $PPID')
echo "started $DAVIT_PID" >&${notesDescriptor}
echo $DAVIT_PID >&${lifelineDescriptor}
unset DAVIT_PID DAVIT_REST
${giveBack}
exec "$@" </dev/null 2>&5 ${lifelineDescriptor}>&- ${notesDescriptor}>&- 5>&-
)
code=$?
echo $code >&${notesDescriptor}
exit $code
}
`;
}

function givingBack(names: readonly string[]): string {
  return names.map((name) => `export ${name}="$${heldPrefix}${name}"; unset ${heldPrefix}${name}`).join('\n');
}
