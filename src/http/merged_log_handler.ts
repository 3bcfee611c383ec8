import { type MergedLine, type MergedLogsQuery, mostMergedServices } from '../contract/merged_logs.ts';
import type { operations as contract } from '../contract/operations.ts';
import { isSet } from '../contract/query.ts';
import { DavitError } from '../lib/errors.ts';
import { matchesGlob } from '../lib/glob.ts';
import { closestName } from '../lib/validation.ts';
import { type CompositePlace, parseCompositeCursor } from '../logs/composite_cursor.ts';
import type { Selection } from '../logs/log_query.ts';
import type { LogStore } from '../logs/log_store.ts';
import { followServices, type MergedBatch } from '../logs/merged_follow.ts';
import { allLines, mergedPage } from '../logs/merged_page.ts';
import type { Registry } from '../services/registry.ts';
import { eventText, type FileForm, type LiveStreams } from './live_streams.ts';
import { readQuery } from './log_handlers.ts';
import { allows } from './permission.ts';
import { type Handler, streamed } from './route.ts';

/** How much of a file is sent at once, in characters. */
const pieceOfFile = 65_536;
/** Of so many services the name of a file tells the ids. */
const mostInName = 3;

/** The route on the output of several services: a page of their lines, a stream of them, or a file. */
export function mergedLogHandler(
  logs: LogStore,
  registry: Pick<Registry, 'services'>,
  streams: LiveStreams,
): Handler<(typeof contract)['mergedLogs']> {
  return async ({ query, principal, request, response }) => {
    const readable = registry.services().flatMap(({ id }) => (allows(principal, 'read', id) ? [id] : []));
    const services = meantServices(query.services, readable);
    const wanted = readQuery(query);
    const { after, before, download } = query;
    if (download !== undefined) {
      for (const name of ['lines', 'after', 'before', 'follow'] as const) refuse(query, name, 'download');
      await streams.sendFile(response, principal, fileForm(services, wanted, download), (signal) =>
        pieces(allLines(logs, services, wanted, signal), download === 'text' ? lineOfText : lineOfJson),
      );
      return streamed;
    }
    if (!isSet(query.follow)) {
      if (after !== undefined) refuse(query, 'before', 'after');
      return mergedPage(logs, services, wanted, { after: readPlace(after), before: readPlace(before) });
    }
    refuse(query, 'before', 'follow');
    refuse(query, 'until', 'follow');
    const begin = readPlace(request.get('Last-Event-ID') ?? after) ?? null;
    await streams.send(response, principal, async function* (signal) {
      for await (const batch of followServices(logs, services, wanted, begin, signal))
        yield Buffer.from(batchText(batch));
    });
    return streamed;
  };
}

/**
 * The services that a text of ids and globs means, by id; those that may not be read are not there at all.
 * Throws `service_not_found` for an id that is none, and `invalid_request` when there are too many.
 */
function meantServices(text: string, readable: readonly string[]): string[] {
  const meant = new Set<string>();
  for (const name of new Set(text.split(','))) {
    const found = name.includes('*')
      ? readable.filter((id) => matchesGlob(name, id))
      : readable.filter((id) => id === name);
    if (found.length === 0 && !name.includes('*')) throw notFound(name, readable);
    for (const id of found) meant.add(id);
  }
  if (meant.size <= mostMergedServices) return [...meant].sort();
  const message = `means ${meant.size} services; at most ${mostMergedServices} can be read at once`;
  throw new DavitError('invalid_request', `services in the query: ${message}`, {
    details: [{ path: 'services', message }],
  });
}

function notFound(name: string, readable: readonly string[]): DavitError {
  const close = closestName(name, readable);
  const hint = close ? `; did you mean "${close}"?` : '';
  return new DavitError('service_not_found', `there is no service "${name}"${hint}`);
}

/** Throws `invalid_request` where `name` is asked for together with `other`. */
function refuse(query: MergedLogsQuery, name: keyof MergedLogsQuery, other: string): void {
  if (query[name] === undefined) return;
  const message = `cannot be used together with ${other}`;
  throw new DavitError('invalid_request', `${name} in the query: ${message}`, {
    details: [{ path: name, message }],
  });
}

function readPlace(cursor: string | undefined): CompositePlace | undefined {
  return cursor === undefined ? undefined : parseCompositeCursor(cursor);
}

/** The messages of a batch. Where nothing in it was wanted, its reader learns at least where to go on. */
function batchText({ lines, skipped, cursor }: MergedBatch): string {
  // Whoever is cut off after these is told them again, for the lines after them were not sent.
  const missed = skipped.map((each) => eventText({ event: 'skipped', data: each })).join('');
  if (lines.length === 0) return `${missed}id: ${cursor}\n\n`;
  return missed + eventText({ event: 'lines', id: cursor, data: { lines } });
}

function fileForm(
  services: readonly string[],
  { release, instance }: Selection,
  download: 'text' | 'ndjson',
): FileForm {
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const isNamed = services.length > 0 && services.length <= mostInName;
  const whose = [
    isNamed ? services.join('+') : 'logs',
    ...(release === undefined ? [] : [`r${release}`]),
    ...(instance === undefined ? [] : [`i${instance}`]),
  ];
  const name = `davit-${whose.join('.')}-${time}`;
  return download === 'text'
    ? { type: 'text/plain', name: `${name}.log` }
    : { type: 'application/x-ndjson', name: `${name}.ndjson` };
}

async function* pieces(
  lines: AsyncIterable<MergedLine>,
  show: (line: MergedLine) => string,
): AsyncGenerator<Buffer> {
  let piece = '';
  for await (const line of lines) {
    piece += `${show(line)}\n`;
    if (piece.length < pieceOfFile) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  if (piece !== '') yield Buffer.from(piece);
}

function lineOfText({ time, service, stream, line }: MergedLine): string {
  return `${time} ${service} ${stream} ${line}`;
}

function lineOfJson({ cursor: _, ...line }: MergedLine): string {
  return JSON.stringify(line);
}
