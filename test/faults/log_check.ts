import { livingInstances, type WrittenRun, writtenRuns } from './host.ts';
import type { Demands } from './invariants.ts';
import type { Sandbox } from './sandbox.ts';

/** The lines of one program as they stand in the log. */
interface LoggedRun {
  readonly instance: string;
  readonly pid: number;
  readonly numbers: number[];
}

/** What the log of a service lacks, has twice or has in the wrong order of what its programs wrote. */
export async function logProblems(
  sandbox: Sandbox,
  service: string,
  { mayLoseLines = false, mayMixRuns = false }: Demands,
): Promise<string[]> {
  // What a program has noted by now, but for its last line, has been written.
  const written = writtenRuns(sandbox.written, service);
  const living = new Set(livingInstances(sandbox.folder).map(({ id }) => id));
  const answer = await sandbox.ask('GET', `/service/${service}/logs?lines=10000&stream=stdout`);
  if (answer?.status !== 200)
    return [`the log of "${service}" is not shown: ${JSON.stringify(answer?.body)}`];
  if (answer.body.truncated) return [`the log of "${service}" is too long to be checked`];
  const lines: string[] = answer.body.lines.map(({ line }: { line: string }) => line);
  const logged = group(lines, mayLoseLines, mayMixRuns);
  const problems = logged.flatMap((run) => orderProblems(service, run, mayLoseLines));
  const known = new Map(written.map((run) => [run.pid, run]));
  for (const { pid, instance } of logged)
    if (known.get(pid)?.instance !== instance && !living.has(instance))
      problems.push(`the log of "${service}" has lines of an unknown program ${pid} of ${instance}`);
  if (!mayLoseLines) problems.push(...written.flatMap((run) => missing(service, run, logged)));
  return problems;
}

/** Lines of one program stand together, for another is started only when it has ended. */
function group(lines: readonly string[], isTorn: boolean, isMixed: boolean): LoggedRun[] {
  const runs: LoggedRun[] = [];
  for (const line of lines) {
    const [, instance, pid, number] = /^([0-9a-f]{8}-[0-9a-f-]{36}) (\d+) (\d+) $/.exec(line) ?? [];
    if (instance === undefined && isTorn) continue;
    const run = { instance: instance ?? line, pid: Number(pid), numbers: [] };
    const before = isMixed ? runs.find(({ instance }) => instance === run.instance) : runs.at(-1);
    if (before?.instance !== run.instance) runs.push(run);
    (before?.instance === run.instance ? before : run).numbers.push(Number(number));
  }
  return runs;
}

function orderProblems(service: string, { pid, numbers }: LoggedRun, mayLoseLines: boolean): string[] {
  const at = numbers.findIndex((number, index) => {
    const before = numbers[index - 1] ?? 0;
    return mayLoseLines ? number <= before : number !== before + 1;
  });
  if (at === -1) return [];
  return [
    `line ${numbers[at]} of program ${pid} of "${service}" comes after ${numbers[at - 1] ?? 'nothing'}`,
  ];
}

/** The last line may be noted and not written: the program died between the two. */
function missing(
  service: string,
  { instance, pid, lines }: WrittenRun,
  logged: readonly LoggedRun[],
): string[] {
  const found = logged.find((run) => run.instance === instance && run.pid === pid)?.numbers.at(-1) ?? 0;
  if (found >= lines - 1) return [];
  return [`the log of "${service}" ends at line ${found} of program ${pid}, which wrote ${lines}`];
}
