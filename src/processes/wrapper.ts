/** The descriptors that a wrapper is given besides its output: its lifeline and its notes. */
const lifelineDescriptor = 3;
const notesDescriptor = 4;

/** The command line of a wrapper. Its last argument is for those who look at a list of processes. */
export const wrapperCommand = ['/bin/sh', '-s', 'davit'] as const;

/** What a wrapper is to start, once it is let go. */
export interface WrappedProgram {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Null where the wrapper already has its directory and its output. */
  readonly place: WrapperPlace | null;
  /** How many files each of its processes may open; null: as many as the wrapper. */
  readonly open_files?: number | null;
}

/** Where the program of a wrapper runs that was made before anybody knew. */
export interface WrapperPlace {
  readonly cwd: string;
  /** Descriptors of this agent. */
  readonly stdout: number;
  readonly stderr: number;
}

/** Names that a shell does not let a script set. */
const shellsOwn = /^(_|UID|EUID|PPID|LINENO|OPTIND|SHELLOPTS|BASH[A-Z_]*)$/;

/** Variables that a wrapper must be given with its own environment, as its script cannot set them. */
export function variablesOfWrapper(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !canBeScripted(name)));
}

function canBeScripted(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !shellsOwn.test(name);
}

/**
 * Every signal that can be caught. The group is signalled as a whole, and the wrapper has to outlive what it waits for:
 * a trap, unlike an ignored signal, is not inherited by the program.
 */
const caught = '1 2 3 4 5 6 7 8 10 11 12 13 14 15 16 24 25 26 27 28 29 30 31';

/**
 * The script that a wrapper waits for, which is a shell that reads its standard input: when the agent dies before it has
 * written this, nothing is started.
 *
 * It runs a program as its child, and gives the exit code of that as its own. What the agent learns by that and by the
 * lifeline also stands in the notes, for when no agent is there: `started <pid>` and, in a second line, the exit code.
 * The shell's own remarks, such as "Terminated", are kept out of the program's output. The program's environment
 * begins with the program: it says what code is loaded into a process (LD_PRELOAD and more).
 */
export function wrapperScript({ file, args, env, place, open_files = null }: WrappedProgram): string {
  const exported = Object.entries(env)
    .filter(([name]) => canBeScripted(name))
    .map(([name, value]) => `export ${name}=${quote(value)}`);
  return `{
trap : ${caught}
${place === null ? '' : `exec >>/proc/${process.pid}/fd/${place.stdout} 2>>/proc/${process.pid}/fd/${place.stderr}`}
exec 5>&2 2>/dev/null
(
read -r DAVIT_PID DAVIT_REST </proc/self/stat || DAVIT_PID=$(exec /bin/sh -c 'echo $PPID')
echo "started $DAVIT_PID" >&${notesDescriptor}
echo $DAVIT_PID >&${lifelineDescriptor}
unset DAVIT_PID DAVIT_REST
exec </dev/null 2>&5 ${lifelineDescriptor}>&- ${notesDescriptor}>&- 5>&-
${place === null ? '' : `cd -- ${quote(place.cwd)} || exit 126`}
${exported.join('\n')}
${open_files === null ? '' : `ulimit -n ${open_files} || exit 126`}
exec ${[file, ...args].map(quote).join(' ')}
)
code=$?
echo $code >&${notesDescriptor}
exit $code
}
`;
}

/** A text as one word of a shell, whatever it holds. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
