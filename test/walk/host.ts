import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** A living process of an instance. */
export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  /** Stands in the environment of each process of the instance. */
  readonly id: string;
  /** `program`: the program of the walk; `held`: a wrapper that waits for what it is to start. */
  readonly role: 'program' | 'wrapper' | 'child' | 'held';
  readonly service: string;
  readonly number: number;
  readonly release: number;
  readonly isHalted: boolean;
}

/** The living processes of the instances of an agent, whatever that says. */
export function processesOf(home: string, data: string, agent: number): SeenProcess[] {
  const folder = realpathSync(join(data, 'instances'));
  const prefix = `${createHash('sha256').update(folder).digest('hex').slice(0, 8)}-`;
  const found = pidsOfHost().flatMap((pid) => seen(pid, prefix, home, agent));
  // A wrapper knows only the mark of its instance.
  const perls = found.filter(({ role }) => role === 'program');
  // A child that has not become what it is to be yet looks like the program.
  const isFork = ({ parent }: SeenProcess) => perls.some(({ pid }) => pid === parent);
  const programs = new Map(perls.filter((each) => !isFork(each)).map((each) => [each.id, each]));
  return found.map((each) => {
    if (each.role === 'program' && isFork(each)) return { ...each, role: 'child' };
    const program = programs.get(each.id);
    if (program === undefined || each.role === 'program') return each;
    const { service, number, release } = program;
    return { ...each, service, number, release };
  });
}

function seen(pid: number, prefix: string, home: string, agent: number): SeenProcess[] {
  const environment = read(`/proc/${pid}/environ`);
  const id = variable(environment, 'DAVIT_INSTANCE_ID');
  if (id === undefined || !id.startsWith(prefix)) return [];
  const stat = read(`/proc/${pid}/stat`);
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (['', 'Z', 'X'].includes(state)) return [];
  const isProgram = variable(environment, 'WALK_HOME') === home;
  const role = isProgram
    ? name === 'perl'
      ? 'program'
      : 'child'
    : Number(parent) === agent
      ? 'held'
      : 'wrapper';
  return [
    {
      pid,
      parent: Number(parent),
      id,
      role,
      service: variable(environment, 'DAVIT_SERVICE') ?? '?',
      number: Number(variable(environment, 'DAVIT_INSTANCE') ?? 0),
      release: Number(variable(environment, 'DAVIT_RELEASE') ?? 0),
      isHalted: state === 'T' || state === 't',
    },
  ];
}

function pidsOfHost(): number[] {
  return readdirSync('/proc').map(Number).filter(Boolean);
}

function variable(environment: string, name: string): string | undefined {
  const at = environment.indexOf(`${name}=`);
  if (at < 0) return undefined;
  const end = environment.indexOf('\0', at);
  return environment.slice(at + name.length + 1, end < 0 ? undefined : end);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
