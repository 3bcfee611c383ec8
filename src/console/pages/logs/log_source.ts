import type { LogPage } from '../../../contract/logs.ts';
import type { MergedLine, MergedLogPage, SkippedServiceOutput } from '../../../contract/merged_logs.ts';
import type { LogLevel } from '../../../contract/scalars.ts';
import { api } from '../../api/client.ts';

/** Which lines are wanted. An empty text: all. */
export interface LogFilter {
  /** A regular expression in RE2's syntax. */
  readonly grep: string;
  readonly stream: '' | 'stdout' | 'stderr';
  /** The least one. */
  readonly level: '' | LogLevel;
}

/** Where a page lies; without any of these it is the last one. */
interface PagePlace {
  readonly before?: string;
  readonly after?: string;
  /** RFC 3339: nothing later. */
  readonly until?: string;
}

/** Lines one after the other, oldest first, and the places before and after them. */
export interface SourcePage {
  readonly lines: readonly MergedLine[];
  /** Whether there may be more: before these, or after them where `after` was given. */
  readonly truncated: boolean;
  readonly before: string;
  readonly after: string;
  readonly skipped: readonly SkippedServiceOutput[];
}

/** Where lines come from: several services, or one of which less is wanted. */
export interface LogSource {
  /** Of the route, for pages and for the stream. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** The only one that there is; null: there may be several, and places are places in all of them. */
  readonly service: string | null;
}

/** A source of what these services write; of one service it may be one instance, or one release. */
export function logSource(services: readonly string[], instance?: number, release?: number): LogSource {
  const [service = '', ...others] = services;
  if (others.length > 0 || service.includes('*')) {
    return { path: '/logs', query: { services: services.join(',') }, service: null };
  }
  const query = {
    ...(instance !== undefined && { instance: String(instance) }),
    ...(release !== undefined && { release: String(release) }),
  };
  return { path: `/services/${encodeURIComponent(service)}/logs`, query, service };
}

/** Throws `ApiFailure`. */
export async function loadPage(
  { path, query, service }: LogSource,
  filter: LogFilter,
  place: PagePlace & { readonly lines: number },
  signal: AbortSignal,
): Promise<SourcePage> {
  const page = await api.get<LogPage | MergedLogPage>(path, {
    query: { ...query, ...filter, ...place },
    signal,
  });
  const skipped = page.skipped ?? [];
  return {
    ...page,
    lines: page.lines.map((line) => ({ service: service ?? '', ...line })),
    skipped: (Array.isArray(skipped) ? skipped : [skipped]).map((one) => ({
      service: service ?? '',
      ...one,
    })),
  };
}
