import { computed } from 'vue';
import { useRoute, useRouter } from 'vue-router';
import { escapeExpression } from './line_parts.ts';
import { logLevels } from './log_levels.ts';
import type { LogFilter } from './log_source.ts';

/** What of a viewer stands in the address. An empty text: not said. */
export interface LogAddress {
  readonly search: string;
  /** `1`: the search is a regular expression. */
  readonly regex: string;
  /** `1`: capital letters are others than small ones. */
  readonly case: string;
  readonly stream: LogFilter['stream'];
  readonly level: LogFilter['level'];
  /** RFC 3339: where to begin instead of at the end. */
  readonly time: string;
  /** The cursor of a line of that time, which is shown. */
  readonly line: string;
}

export const emptyAddress: LogAddress = {
  search: '',
  regex: '',
  case: '',
  stream: '',
  level: '',
  time: '',
  line: '',
};

/** Filters and places of a viewer, which stand in the address, so that they can be kept, shared and gone back to. */
export function useLogAddress() {
  const route = useRoute();
  const router = useRouter();
  const address = computed<LogAddress>(() => {
    const text = (name: keyof LogAddress) => {
      const value = route.query[name];
      return typeof value === 'string' ? value : '';
    };
    const [stream, level, time] = [text('stream'), text('level'), text('time')];
    return {
      search: text('search').slice(0, 900),
      regex: text('regex'),
      case: text('case'),
      stream: stream === 'stdout' || stream === 'stderr' ? stream : '',
      level: logLevels.find((one) => one === level) ?? '',
      time: Number.isNaN(Date.parse(time)) ? '' : new Date(time).toISOString(),
      line: text('line'),
    };
  });
  const filter = computed<LogFilter>((before) => {
    const { stream, level } = address.value;
    const next = { grep: grepOf(address.value), stream, level };
    const isSame = before?.grep === next.grep && before.stream === stream && before.level === level;
    return isSame ? before : next;
  });

  /** Changes several of them at once. */
  async function change(changes: Partial<LogAddress>): Promise<void> {
    const query = { ...router.currentRoute.value.query };
    for (const [name, value] of Object.entries(changes)) {
      if (value === '') delete query[name];
      else query[name] = value;
    }
    await router.replace({ query, hash: route.hash });
  }

  return { address, filter, change };
}

/** The expression that finds what is searched for. */
function grepOf({ search, regex, case: isExact }: LogAddress): string {
  if (search === '') return '';
  const expression = regex === '1' ? search : escapeExpression(search);
  return isExact === '1' ? expression : `(?i)${expression}`;
}
