import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Event, type EventList, eventTypes, eventTypesOf } from '../contract/events.ts';
import { closestName } from '../lib/validation.ts';
import { momentArgument, serviceArgument, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { follow } from './event_stream.ts';
import { moment } from './format.ts';
import { examples } from './help.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

interface EventsOptions {
  readonly follow?: boolean;
  readonly service?: string;
  readonly type?: readonly string[];
  readonly actor?: string;
  readonly since?: string;
  readonly until?: string;
  readonly lines?: number;
}

export function addEvents(program: Command, act: Act): void {
  program
    .command('events')
    .description('Show what happened: deploys, starts, exits, and who asked for them.')
    .option('-f, --follow', 'stay and show what comes, until Ctrl-C')
    .option('-n, --lines <number>', 'how many, counted from the end (default: 100)', wholeNumber())
    .option('--service <service>', 'only those of one service', serviceArgument)
    .addOption(typeOption())
    .option('--actor <actor>', 'only what was done for this one; any: for anyone')
    .option('--since <moment>', 'not earlier than 15m ago, or than a time', momentArgument)
    .option('--until <moment>', 'not later', momentArgument)
    .addHelpText(
      'after',
      examples([
        'davit events',
        'davit events -f --service web',
        'davit events --type service.exited,deployment.* --since 2h',
        'davit events --actor any',
      ]),
    )
    .action(act(showEvents));
}

/** `choices` is for the completion: what it refuses is more than the parser after it takes. */
function typeOption(): Option {
  const description = 'only those of these types; deployment.* are all of deployments';
  const option = new Option('--type <types>', description).choices(eventTypes);
  return option.argParser((value: string, earlier: readonly string[] | undefined) => {
    const wrong = value.split(',').find((word) => eventTypesOf(word).length === 0);
    if (wrong === undefined) return [...(earlier ?? []), value];
    const meant = closestName(wrong, eventTypes);
    throw new InvalidArgumentError(
      meant === null ? `"${wrong}" is no type of events` : `"${wrong}" is none; did you mean ${meant}?`,
    );
  });
}

async function showEvents(run: Run, options: EventsOptions): Promise<void> {
  const { agent, terminal, json, signal } = run;
  const path = '/api/v1/events';
  const { service, type, actor, since, until, lines: limit, follow: stay } = options;
  const query = { service, type: type?.join(','), actor, since, until, limit };
  if (!stay) {
    const answer = await agent().get<EventList>(path, query);
    if (json) return terminal.json(answer);
    for (const event of answer.events) terminal.print(eventText(event, terminal));
    return;
  }
  const onNotice = (message: string) => terminal.note(`davit: ${message}`);
  const stream = follow({ client: agent(), path, query: { ...query, follow: 'true' }, signal, onNotice });
  for await (const { event, data } of stream) {
    if (event !== 'event') continue;
    if (json) terminal.jsonLine(JSON.parse(data));
    else terminal.print(eventText(JSON.parse(data), terminal));
    await terminal.drained(signal);
  }
}

function eventText({ time, type, service, message, actor }: Event, terminal: Terminal): string {
  const subject = service === null ? '' : ` ${terminal.style('bold', safeText(service))}`;
  const by = actor === null ? '' : terminal.style('dim', ` (${safeText(actor)})`);
  const failed = /failed|exited|refused/.test(type);
  const kind = failed ? terminal.style('red', safeText(type)) : safeText(type);
  return `${terminal.style('dim', safeText(moment(time)))} ${kind}${subject}: ${safeText(message)}${by}`;
}
