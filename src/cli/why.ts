import type { Command } from 'commander';
import type { ServiceState } from '../contract/services.ts';
import type { Why, WhyStep } from '../contract/why.ts';
import { serviceArgument, servicePath, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { moment, stateText } from './format.ts';
import { examples } from './help.ts';
import type { Canvas, Terminal } from './terminal.ts';
import { logText, safeText } from './text.ts';

interface WhyOptions {
  readonly instance?: number;
  readonly limit?: number;
  readonly lines?: number;
}

export function addWhy(program: Command, act: Act): void {
  program
    .command('why')
    .description('Tell why a service is in the state that it is in: what led to it, newest first.')
    .argument('<service>', 'the service', serviceArgument)
    .option('--instance <number>', 'only what led to the state of that instance', wholeNumber())
    .option('--limit <number>', 'how many events at most (default: 40)', wholeNumber())
    .option('-n, --lines <number>', 'how many of its last log lines (default: 10)', wholeNumber(0))
    .addHelpText('after', examples(['davit why web', 'davit why web --instance 2', 'davit why web --json']))
    .action(act(tellWhy));
}

async function tellWhy(
  { agent, terminal, json }: Run,
  { instance, limit, lines }: WhyOptions,
  service: string,
): Promise<void> {
  const why = await agent().get<Why>(servicePath(service, '/why'), { instance, limit, lines });
  if (json) return terminal.json(why);
  terminal.print([...whyTexts(why, terminal), nextText(why, terminal)].join('\n\n'));
}

/** Why it is so, in paragraphs: how it stands, what led to it, what was before, its last lines. */
export function whyTexts(why: Why, canvas: Canvas): string[] {
  return [headText, chainText, beforeText, linesText].map((text) => text(why, canvas)).filter(Boolean);
}

function headText({ service, state, sentence }: Why, canvas: Canvas): string {
  const name = canvas.style('bold', safeText(service));
  const begin = `${service} is ${state}`;
  const rest = sentence.startsWith(begin) ? sentence.slice(begin.length) : `. ${sentence}`;
  return `${name} is ${stateText(canvas, safeText(state))}${safeText(rest)}`;
}

function chainText({ chain, chain_ends }: Why, canvas: Canvas): string {
  if (chain.length === 0) return 'Nothing is known of how it came to that: its events are not kept any more.';
  const steps = shownSteps(chain).map((step, index) =>
    typeof step === 'string' ? `  ← ${step}` : stepText(step, index === 0 ? '' : '← ', canvas),
  );
  const end = endings[chain_ends];
  return ['What led to it, newest first:', ...steps, ...(end === null ? [] : [`  ← ${end}`])].join('\n');
}

/** How many ends of processes of a chain are shown in full, before the oldest one. */
const fullyShown = 3;
const partsOfRestart = new Set([
  'service.restarting',
  'service.exited',
  'service.starting',
  'service.started',
]);

/** The chain without what only repeats itself, for somebody in a hurry: a start and its success are one, and so are many restarts. */
function shownSteps(chain: readonly WhyStep[]): readonly (WhyStep | string)[] {
  const steps = chain.filter(({ event }, index) => {
    const cause = chain[index + 1]?.event;
    const isSuccess = event.type === 'service.started' && cause?.type === 'service.starting';
    return index === 0 || !isSuccess || cause.pid !== event.pid;
  });
  const ends = steps.flatMap(({ event }, index) => (event.type === 'service.exited' ? index : []));
  const [from = 0, to = 0] = [(ends[fullyShown - 1] ?? 0) + 1, ends.at(-1)];
  const folded = steps.slice(from, to);
  if (ends.length <= fullyShown + 1 || !folded.every(({ event }) => partsOfRestart.has(event.type)))
    return steps;
  const count = ends.length - fullyShown - 1;
  return [
    ...steps.slice(0, from),
    `${count} more restarts in between, which --json shows`,
    ...steps.slice(to),
  ];
}

const endings: Readonly<Record<Why['chain_ends'], string | null>> = {
  begin: null,
  hidden: 'something that happened to another service, which this key may not read',
  forgotten: 'an event that is not kept any more',
  limit: 'there is more: --limit',
};

function beforeText({ before }: Why, canvas: Canvas): string {
  if (before.length === 0) return '';
  return ['Before that:', ...before.map((step) => stepText(step, '', canvas))].join('\n');
}

function stepText({ event, sentence }: WhyStep, mark: string, canvas: Canvas): string {
  const isBad = /failed|exited|unhealthy|not_ready/.test(event.type);
  const text = isBad ? canvas.style('red', safeText(sentence)) : safeText(sentence);
  return `  ${canvas.style('dim', safeText(moment(event.time)))}  ${mark}${text}`;
}

function linesText({ instance, release, last_lines }: Why, canvas: Canvas): string {
  if (last_lines === null) return 'What it wrote last cannot be read now.';
  if (last_lines.length === 0) return '';
  const of = instance === null ? `release ${release}` : `instance ${instance} (release ${release})`;
  // This is our own text, whoever reads it: no line of a service drives anything, also not behind a pipe.
  const shown = (line: string) => (canvas.isTerminal ? canvas.logLine(line) : logText(line, false));
  return [`The last lines of ${of}:`, ...last_lines.map(({ line }) => `  ${shown(line)}`)].join('\n');
}

function nextText(why: Why, terminal: Terminal): string {
  const commands = nextCommands(why);
  const width = Math.max(...commands.map(([command]) => command.length));
  const lines = commands.map(
    ([command, purpose]) => `  ${safeText(command.padEnd(width))}  ${terminal.style('dim', purpose)}`,
  );
  return ['What to do next:', ...lines].join('\n');
}

type Advice = readonly [command: string, purpose: string];

/** What one would do about it, or look at. */
function nextCommands({ service, state, instance, release, chain }: Why): Advice[] {
  const one = instance === null ? '' : ` --instance ${instance}`;
  const logs: Advice = [`davit logs ${service}${one}`, 'all that it wrote'];
  const start: Advice = [`davit start ${service}`, 'start it again'];
  const back: Advice = [`davit rollback ${service}`, 'go back to the last good release'];
  const rollback = release > 1 ? [back] : [];
  const others = [...new Set(chain.map(({ event }) => event.service))]
    .filter((other): other is string => other !== null && other !== service)
    .map((other): Advice => [`davit why ${other}`, `why ${other} is as it is`]);
  const byState: Readonly<Record<ServiceState, readonly Advice[]>> = {
    failed: [logs, start, ...rollback],
    backoff: [logs, ...rollback, [`davit stop ${service}`, 'end the attempts']],
    pending: [[`davit status ${service}`, 'what it depends on']],
    starting: [logs],
    running: [[`davit instances ${service}`, 'each instance with its health'], logs],
    paused: [[`davit resume ${service}`, 'let it go on']],
    draining: [[`davit connections --service ${service}`, 'what is still open']],
    stopping: [[`davit ps ${service}`, 'what of it still runs']],
    stopped: [start, logs],
    completed: [[`davit runs ${service}`, 'its runs'], logs],
    scheduled: [
      [`davit runs ${service}`, 'its runs'],
      [`davit start ${service}`, 'run it now'],
    ],
  };
  const isTried = chain.some(({ event }) => event.type === 'deployment.failed');
  const releases: Advice[] = isTried ? [[`davit releases ${service}`, 'what was tried']] : [];
  return [...others, ...(byState[state] ?? [logs]), ...releases];
}
