import { matchPath } from './path.ts';
import type { RoutedRequest } from './request.ts';

/** The header by which a request asks for instances, or rules, by their tags. */
const tagHeader = 'x-davit-tag';

type Values = ReadonlyMap<string, readonly string[]>;

/** A request as rules and strategies look at it; what has to be taken apart is so when it is first asked for, and once. */
export class RequestFacts {
  readonly request: RoutedRequest;
  #path: string | null | undefined;
  #parameters: Values | undefined;
  #cookies: Values | undefined;
  #tags: ReadonlySet<string> | undefined;

  constructor(request: RoutedRequest) {
    this.request = request;
  }

  /** As `matchPath` gives it; null: the request is to be refused. */
  get path(): string | null {
    if (this.#path === undefined) this.#path = matchPath(this.request.path);
    return this.#path;
  }

  /** Every value of a parameter of the query, decoded. */
  parameters(name: string): readonly string[] {
    this.#parameters ??= collected(new URLSearchParams(this.request.query));
    return this.#parameters.get(name) ?? [];
  }

  /** Every value of a cookie, as it came: there may be several of one name, of which the first is of the longest path (RFC 6265, 5.4). */
  cookies(name: string): readonly string[] {
    this.#cookies ??= collected(readCookies(this.request.header('cookie') ?? ''));
    return this.#cookies.get(name) ?? [];
  }

  /** What the request asks for, in lower case. */
  get tags(): ReadonlySet<string> {
    this.#tags ??= readTags(this.request.header(tagHeader));
    return this.#tags;
  }
}

/** A client may send thousands, and thousands of rules may ask for one. */
function collected(pairs: Iterable<readonly [name: string, value: string]>): Values {
  const all = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const values = all.get(name);
    if (values === undefined) all.set(name, [value]);
    else values.push(value);
  }
  return all;
}

function* readCookies(header: string): Generator<readonly [name: string, value: string]> {
  for (const pair of header.split(';')) {
    const end = pair.indexOf('=');
    if (end !== -1) yield [pair.slice(0, end).trim(), pair.slice(end + 1).trim()];
  }
}

const noTags: ReadonlySet<string> = new Set();

function readTags(header: string | undefined): ReadonlySet<string> {
  if (header === undefined) return noTags;
  const tags = header.toLowerCase().split(',');
  return new Set(tags.map((tag) => tag.trim()).filter((tag) => tag !== ''));
}
