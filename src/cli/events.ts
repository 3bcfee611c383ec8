import { type Command, Option } from 'commander';
import { type Event, type EventList, eventTypes } from '../contract/answers.ts';
import { serviceArgument, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { follow } from './event_stream.ts';
import { moment } from './format.ts';
import { examples } from './help.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

interface EventsOptions {
  readonly follow?: boolean;
  readonly service?: string;
  readonly type?: string;
  readonly lines?: number;
}

export function addEvents(program: Command, act: Act): void {
  program
    .command('events')
    .description('Show what happened: deploys, starts, exits, and who asked for them.')
    .option('-f, --follow', 'stay and show what comes, until Ctrl-C')
    .option('-n, --lines <number>', 'how many, counted from the end (default: 100)', wholeNumber())
    .option('--service <service>', 'only those of one service', serviceArgument)
    .addOption(new Option('--type <type>', 'only those of one type').choices(eventTypes))
    .addHelpText(
      'after',
      examples(['davit events', 'davit events -f --service web', 'davit events --type service.exited']),
    )
    .action(act(showEvents));
}

async function showEvents(run: Run, { service, type, lines, follow: stay }: EventsOptions): Promise<void> {
  const { agent, terminal, json, signal } = run;
  const path = '/api/v1/events';
  const query = { service, type, limit: lines };
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
