import { z } from 'zod';
import { serviceIdPattern } from './scalars.ts';

/** What a value of a series counts. */
export type SeriesUnit = 'ratio' | 'bytes' | 'bytes/s' | 'seconds' | 'cores' | 'count' | 'count/s' | 'load';

interface SeriesKind {
  readonly unit: SeriesUnit;
  readonly description: string;
}

/**
 * The series that the agent keeps a history of, and that alert rules may watch, by their names. Those that begin with
 * `service.` there are once for each service, summed up over its instances.
 */
export const seriesKinds = {
  'host.cpu': { unit: 'ratio', description: 'How much of all processors was busy.' },
  'host.memory': { unit: 'ratio', description: 'How much of the memory cannot be had without swapping.' },
  'host.memory_used': { unit: 'bytes', description: 'The same in bytes.' },
  'host.swap': { unit: 'ratio', description: 'How much of the swap space is used; 0 where there is none.' },
  'host.load': { unit: 'load', description: 'The load average of one minute.' },
  'host.disk': { unit: 'ratio', description: 'How full the disk of the data directory is.' },
  'host.disk_free': { unit: 'bytes', description: 'What is free there for the agent.' },
  'host.disk_io': { unit: 'bytes/s', description: 'Read and written, of all disks.' },
  'host.network_in': { unit: 'bytes/s', description: 'Received, without loopback.' },
  'host.network_out': { unit: 'bytes/s', description: 'Sent, without loopback.' },
  'agent.cpu': { unit: 'cores', description: 'Processor time of the agent.' },
  'agent.memory': { unit: 'bytes', description: 'Resident memory of the agent.' },
  'agent.event_loop_lag': {
    unit: 'seconds',
    description: 'The longest time within the interval that work had to wait.',
  },
  'agent.request_errors': {
    unit: 'count/s',
    description: 'Answers of the API with a status of 500 or above.',
  },
  'router.connections': {
    unit: 'count',
    description: 'Connections that clients have open with the routers.',
  },
  'router.requests': { unit: 'count/s', description: 'Requests to all services.' },
  'router.unroutable': {
    unit: 'count/s',
    description: 'Requests that no rule fits, or for which there was no instance.',
  },
  'service.cpu': { unit: 'cores', description: 'Processor time of every process of the service.' },
  'service.memory': { unit: 'bytes', description: 'Resident memory of every process of the service.' },
  'service.open_files': { unit: 'count', description: 'Open files of every process of the service.' },
  'service.ready': { unit: 'count', description: 'Instances that run and are ready.' },
  'service.missing': { unit: 'count', description: 'How many instances fewer are ready than are wanted.' },
  'service.restarts': {
    unit: 'count',
    description: 'Starts again after an end that nobody asked for, within the interval.',
  },
  'service.log_bytes': { unit: 'bytes/s', description: 'What the service wrote.' },
  'service.requests': {
    unit: 'count/s',
    description: 'Requests and WebSocket connections that routers sent it.',
  },
  'service.errors': {
    unit: 'ratio',
    description: 'How many of its requests failed or were answered with 500 or above; none without requests.',
  },
  'service.latency': {
    unit: 'seconds',
    description: 'Within what time 95 of 100 answers began; none without requests.',
  },
  'service.connections': {
    unit: 'count',
    description: 'Requests and WebSocket connections that are open with it.',
  },
} as const satisfies Record<string, SeriesKind>;

export type SeriesName = keyof typeof seriesKinds;
export const seriesNames = Object.keys(seriesKinds) as [SeriesName, ...SeriesName[]];
export const seriesName = z.enum(seriesNames).meta({ id: 'SeriesName' });

/** Names one series: `host.cpu`, or `service.cpu:web`. */
export type SeriesKey = SeriesName | `${SeriesName}:${string}`;

/** What one series is of. */
export interface SeriesSubject {
  readonly name: SeriesName;
  /** null: of the host, the agent or the routers. */
  readonly service: string | null;
}

export function seriesKey(name: SeriesName, service: string | null = null): SeriesKey {
  return service === null ? name : `${name}:${service}`;
}

/** null where the text names no series; `service.…` takes a service behind a colon, the others take none. */
export function parseSeriesKey(text: string): SeriesSubject | null {
  const [name = '', service = null, ...more] = text.split(':');
  if (more.length > 0 || !Object.hasOwn(seriesKinds, name)) return null;
  if (name.startsWith('service.') !== (service !== null)) return null;
  if (service !== null && !serviceIdPattern.test(service)) return null;
  return { name: name as SeriesName, service };
}

/** What all series were at one time. A series that has no value then is not there: no requests have no latency. */
export interface Measurements {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly values: ReadonlyMap<SeriesKey, number>;
}
