/** Segments of which every server thinks the same: nothing encoded, no parameters, no dot at their beginning, none empty. */
const plain = /^(?:\/[\w~!$&'()*+,=:@-][\w~!$&'()*+,=:@.-]*)+\/?$/;

/** Printable ASCII without space, `#`, `?` and backslash. */
const printable = /^\/[!"$->@-[\]-~]*$/;

const dotSegment = /\/(?:\.|%2e){1,2}(?:\/|$)/i;

/**
 * The path by which rules are matched: decoded once, without parameters (`;x=1`), empty and dot segments (RFC 3986, 6.2.2).
 * null: servers disagree on what it means, so that a rule which keeps a client from a path could be got around; it is to be
 * refused with 400. These are: a slash, backslash or control character that is encoded; a backslash; what is no UTF-8 or no
 * percent-encoding; `..` above the root, or after an empty segment, or with parameters; and what may not stand in a path at all.
 */
export function matchPath(raw: string): string | null {
  if (plain.test(raw) || raw === '/') return raw;
  if (!printable.test(raw)) return null;
  const kept: string[] = [];
  let isLastOpen = false;
  for (const segment of raw.slice(1).split('/')) {
    const name = segmentName(segment);
    if (name === null) return null;
    isLastOpen = name === '' || name === '.' || name === '..';
    if (name === '..') {
      // Whether `/a//..` is `/` or `/a/` depends on whether the server joins slashes first.
      if (!kept.pop()) return null;
    } else if (name !== '.') kept.push(name);
  }
  const names = kept.filter((name) => name !== '');
  return names.length === 0 ? '/' : `/${names.join('/')}${isLastOpen ? '/' : ''}`;
}

/** A segment decoded and without its parameters; null where servers disagree. */
function segmentName(segment: string): string | null {
  const end = segment.indexOf(';');
  const bare = end === -1 ? segment : segment.slice(0, end);
  const name = bare.includes('%') ? decoded(bare) : bare;
  return end !== -1 && (name === '.' || name === '..') ? null : name;
}

/** null where something comes out that may not be in a segment, or `..;x`, in which Java servers see `..`. */
function decoded(text: string): string | null {
  try {
    const name = decodeURIComponent(text);
    return /[/\\\p{Cc}]|^\.\.?;/u.test(name) ? null : name;
  } catch {
    return null;
  }
}

/**
 * What is passed on of a path that `matchPath` takes: byte for byte what came, but without dot segments, because a server that
 * leaves them as they are would take `/admin/../public` for something below `/admin`.
 */
export function withoutDots(raw: string): string {
  if (!dotSegment.test(raw)) return raw;
  const kept: string[] = [];
  let isLastOpen = false;
  for (const segment of raw.slice(1).split('/')) {
    const dots = /^(?:\.|%2e){1,2}$/i.test(segment) ? segment.replace(/%2e/gi, '.') : '';
    isLastOpen = dots !== '';
    if (dots === '..') kept.pop();
    else if (dots === '') kept.push(segment);
  }
  return `/${kept.join('/')}${isLastOpen && kept.length > 0 ? '/' : ''}`;
}

/** Whether a path is this one or below it: `/api` takes `/api` and `/api/users`, not `/apis`. Both as `matchPath` gives them. */
export function isWithin(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || prefix.endsWith('/') || path[prefix.length] === '/';
}

/** The first segment of a path as `matchPath` gives it; '' of the root. */
export function firstSegment(path: string): string {
  const end = path.indexOf('/', 1);
  return end === -1 ? path.slice(1) : path.slice(1, end);
}

/** How many segments a path has, as `matchPath` gives it. */
export function segmentCount(path: string): number {
  return path.split('/').filter((segment) => segment !== '').length;
}

/** Puts `prefix` in the place of the first `count` segments of a path that came without dot segments. */
export function withPrefix(raw: string, count: number, prefix: string): string {
  const rest = raw.slice(endOfSegments(raw, count)).replace(/^\/+/, '/');
  return rest === '' ? prefix : `${prefix.replace(/\/+$/, '')}${rest}`;
}

/** Where the first so many segments end; those of no name do not count, as they do not for `matchPath`. */
function endOfSegments(raw: string, count: number): number {
  let end = 0;
  for (let left = count; left > 0 && end < raw.length; ) {
    const next = raw.indexOf('/', end + 1);
    const first = raw[end + 1];
    end = next === -1 ? raw.length : next;
    if (first !== undefined && first !== '/' && first !== ';') left--;
  }
  return end;
}

/** A text as it may stand in a header that holds an address: what is no printable ASCII becomes percent-encoded UTF-8. */
export function asAddress(text: string): string {
  return text.toWellFormed().replace(/[^!-~]/gu, encodeURIComponent);
}
