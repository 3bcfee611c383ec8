import type { AccessLogSettings } from '../contract/routing_table.ts';
import type { LogLevel } from '../contract/scalars.ts';
import { networkOf } from '../lib/addresses.ts';
import { parseTraceparent } from '../lib/trace_context.ts';
import type { RoutedRequest } from '../routing/request.ts';
import type { AccessRecord } from './access_record.ts';

/** A request as its client sent it; empty, what could not be read. */
export type LoggedRequest = Pick<RoutedRequest, 'method' | 'host' | 'path' | 'client' | 'header'>;

export type LoggedProtocol = 'http/1.0' | 'http/1.1' | 'http/2' | 'websocket';

/** How a WebSocket connection ended. */
export interface WebSocketEnd {
  /** Of the Close frame that the client was sent; null: it was sent none, or one without. */
  readonly close_code: number | null;
  /** How many the client was sent. */
  readonly messages_out: number;
}

interface AccessEntry {
  readonly record: AccessRecord;
  readonly request: LoggedRequest;
  readonly protocol: LoggedProtocol;
  readonly websocket: WebSocketEnd | null;
  /** In milliseconds, and when it was over, in milliseconds since the epoch. */
  readonly duration: number;
  readonly ended_at: number;
}

/** Characters that are written of what clients send. */
const longestPath = 1_024;
const longestHost = 255;
const longestAgent = 256;
const longestMethod = 32;
const longestId = 128;

/** The line of a request that is over, with its end: JSON of nothing but printable ASCII, whatever the client has sent. */
export function accessLine(
  { record, request, protocol, websocket, duration, ended_at }: AccessEntry,
  settings: AccessLogSettings,
): string {
  const { instance, upstream_ms } = record;
  const trace = record.trace ?? parseTraceparent(request.header('traceparent'));
  const entry = {
    time: new Date(ended_at - duration).toISOString(),
    level: levelOf(record, isSlow(duration, protocol, settings)),
    duration_ms: rounded(duration),
    method: shortened(request.method, longestMethod),
    host: shortened(request.host, longestHost),
    path: shortened(request.path, longestPath),
    protocol,
    status: record.status,
    service: record.service,
    instance: instance?.number ?? null,
    release: instance?.release ?? null,
    rule: record.rule,
    client: clientOf(request.client, settings.client_address),
    bytes_in: record.bytes_in,
    bytes_out: record.bytes_out,
    retries: Math.max(0, record.attempts - 1),
    upstream_ms: upstream_ms === null ? null : rounded(upstream_ms),
    failure: record.failure,
    ...websocket,
    trace_id: trace?.trace_id ?? null,
    parent_id: trace?.parent_id ?? null,
    request_id: shortened(request.header('x-request-id') ?? '', longestId),
    user_agent: shortened(request.header('user-agent') ?? '', longestAgent),
  };
  return `${inAscii(JSON.stringify(entry))}\n`;
}

/** Whether a request took longer than is usual, as the settings have it; a WebSocket connection may take as long as it likes. */
export function isSlow(duration: number, protocol: LoggedProtocol, { slow }: AccessLogSettings): boolean {
  return slow !== null && protocol !== 'websocket' && duration >= slow;
}

function levelOf({ status, failure }: AccessRecord, isSlow: boolean): LogLevel {
  if (failure === 'client_gone' || failure === 'cut_off') return 'warn';
  if (failure !== null && (status === null || status >= 500 || status < 400)) return 'error';
  if (status !== null && status >= 500) return 'error';
  return isSlow || failure !== null ? 'warn' : 'info';
}

function clientOf(address: string, how: AccessLogSettings['client_address']): string | null {
  if (how === 'none' || address === '') return null;
  return how === 'full' ? address : networkOf(address);
}

function shortened(text: string, length: number): string | null {
  return text === '' ? null : text.slice(0, length);
}

/** To a hundredth of a millisecond. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}

/** What is beyond ASCII could be read as control characters by a terminal. */
function inAscii(json: string): string {
  return json.replace(/[\x7f-\uffff]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${code}`;
  });
}
