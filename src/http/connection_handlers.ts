import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, ConnectionFilter } from '../contract/connections.ts';
import type { operations as contract } from '../contract/operations.ts';
import { isSet } from '../contract/query.ts';
import { canonicalAddress } from '../lib/addresses.ts';
import { DavitError } from '../lib/errors.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import type { RouterTraffic } from '../traffic/traffic.ts';
import { sumOf } from '../traffic/traffic_counts.ts';
import type { LiveStreams, StreamEvent } from './live_streams.ts';
import { allows, type Principal, refusal } from './permission.ts';
import { type Handler, streamed } from './route.ts';

type Contract = typeof contract;

interface ConnectionHandlerOptions {
  readonly traffic: RouterTraffic;
  readonly registry: Registry;
  readonly events: EventLog;
  readonly streams: LiveStreams;
}

/** How many connections are given when nobody says. */
const defaultLimit = 1_000;
/** How often a stream of connections says what has changed, in milliseconds. */
const streamInterval = 1_000;

/** What the routes on connections and on what goes through the routers call. */
export function connectionHandlers({ traffic, registry, events, streams }: ConnectionHandlerOptions) {
  const { connections, facts } = traffic;
  const record = (service: string | undefined, principal: Principal, closed: number) => {
    if (closed === 0) return;
    const message = `${closed} ${closed === 1 ? 'connection is' : 'connections are'} closed`;
    events.record({
      type: 'connection.closed',
      ...(service && { service }),
      actor: principal.actor,
      message,
    });
  };

  return {
    list: async ({ query: { limit, follow, ...selection }, principal, response }) => {
      const filter = readFilter(selection);
      const isWanted = (connection: Connection) => maySee(principal, connection) && fits(connection, filter);
      if (isSet(follow)) {
        await streams.send(response, principal, (signal) =>
          changes(async () => (await connections.all()).filter(isWanted), signal),
        );
        return streamed;
      }
      // Who may not see all must not learn from the total how many others there are.
      const most = Number(limit ?? defaultLimit);
      if (allows(principal, 'read', null)) {
        const found = await connections.list(filter, most);
        return { ...found, connections: found.connections.slice(0, most) };
      }
      const visible = (await connections.list(filter)).connections.filter(isWanted);
      return { connections: visible.slice(0, most), total: visible.length };
    },

    close: async ({ query: { all, ids, ...selection }, principal }) => {
      const filter = readFilter(selection);
      if (ids !== undefined) return closeNamed([...new Set(ids.split(','))], filter, principal);
      if (Object.keys(filter).length === 0 && !isSet(all))
        throw new DavitError('invalid_request', 'say which connections are meant, or all=true');
      const { service } = filter;
      if (service !== undefined && !allows(principal, 'operate', service))
        throw refusal(principal, 'operate', service);
      const closed = await closeFitting(filter, principal);
      record(service, principal, closed);
      return { closed, gone: [] };
    },

    closeOne: async ({ path: { connection_id: id }, principal }) => {
      const [found] = (await connections.list({ ids: [id] })).connections;
      if (found === undefined || !maySee(principal, found))
        throw new DavitError('connection_not_found', `there is no connection ${id}`);
      if (!allows(principal, 'operate', found.service)) throw refusal(principal, 'operate', found.service);
      const closed = await connections.close({ ids: [id] });
      record(found.service ?? undefined, principal, closed);
      return { closed, gone: [] };
    },

    traffic: ({ principal }) => {
      const services = facts
        .services()
        .filter(({ service }) => allows(principal, 'read', service) && registry.find(service) !== null);
      return { total: sumOf(services.map(({ total }) => total)), services };
    },

    ofService: ({ path }) => {
      registry.get(path.id);
      return facts.service(path.id);
    },

    // What they tell may name services that not everybody may see.
    routers: ({ principal }) => {
      const found = traffic.list();
      if (allows(principal, 'read', null)) return found;
      return { ...found, routers: found.routers.map((router) => ({ ...router, problems: [] })) };
    },
  } satisfies {
    list: Handler<Contract['listConnections']>;
    close: Handler<Contract['closeConnections']>;
    closeOne: Handler<Contract['closeConnection']>;
    traffic: Handler<Contract['showTraffic']>;
    ofService: Handler<Contract['serviceTraffic']>;
    routers: Handler<Contract['listRouters']>;
  };

  /** Closes those of the named ones that fit. Throws `forbidden` where one of them may be seen but not closed, and closes none then. */
  async function closeNamed(ids: readonly string[], filter: ConnectionFilter, principal: Principal) {
    const found = (await connections.list({ ids: [...ids] })).connections.filter((each) =>
      maySee(principal, each),
    );
    const open = new Set(found.map(({ id }) => id));
    const meant = found.filter((each) => fits(each, filter));
    const foreign = meant.find(({ service }) => !allows(principal, 'operate', service));
    if (foreign !== undefined) throw refusal(principal, 'operate', foreign.service);
    const byService = [...Map.groupBy(meant, ({ service }) => service)];
    const counts = await Promise.all(
      byService.map(async ([service, those]) => {
        const closed = await connections.close({ ids: those.map(({ id }) => id) });
        record(service ?? undefined, principal, closed);
        return closed;
      }),
    );
    return { closed: sum(counts), gone: ids.filter((id) => !open.has(id)) };
  }

  /** Who may not act on everything closes those of the services on which they may. */
  async function closeFitting(filter: ConnectionFilter, principal: Principal): Promise<number> {
    if (filter.service !== undefined || allows(principal, 'operate', null)) return connections.close(filter);
    const own = registry.services().filter(({ id }) => allows(principal, 'operate', id));
    const closed = await Promise.all(own.map(({ id }) => connections.close({ ...filter, service: id })));
    return sum(closed);
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, count) => all + count, 0);
}

/** A connection that leads nowhere is shown to those who may see the whole agent. */
function maySee(principal: Principal, { service }: Connection): boolean {
  return allows(principal, 'read', service);
}

type Selection = Omit<ConnectionFilter, 'ids' | 'instance' | 'release'> & {
  readonly instance?: string | undefined;
  readonly release?: string | undefined;
};

/** Without what is left out. */
function readFilter({ instance, release, client, ...rest }: Selection): ConnectionFilter {
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(given),
    ...(client !== undefined && { client: canonicalAddress(client) ?? client }),
    ...(instance !== undefined && { instance: Number(instance) }),
    ...(release !== undefined && { release: Number(release) }),
  };
}

function fits(connection: Connection, filter: ConnectionFilter): boolean {
  return Object.entries(filter).every(([name, wanted]) => connection[name as keyof Connection] === wanted);
}

/** What is there at first, as opened, and then what changes, until `signal` ends it. */
async function* changes(look: () => Promise<Connection[]>, signal: AbortSignal): AsyncGenerator<StreamEvent> {
  let known = new Map<string, Connection>();
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    // Routers that are gone for a moment come back.
    const found = await look().catch((error) => {
      if (isFirst) throw error;
      return [...known.values()];
    });
    const now = new Map(found.map((connection) => [connection.id, connection]));
    for (const [id, connection] of now) {
      const before = known.get(id);
      if (before === undefined) yield { event: 'opened', id, data: connection };
      else if (isOther(before, connection)) yield { event: 'changed', id, data: connection };
    }
    for (const [id, connection] of known) if (!now.has(id)) yield { event: 'closed', id, data: connection };
    known = now;
    await sleep(streamInterval, undefined, { signal, ref: false }).catch(() => {});
  }
}

function isOther(before: Connection, now: Connection): boolean {
  return (Object.keys(now) as (keyof Connection)[]).some((name) => before[name] !== now[name]);
}
