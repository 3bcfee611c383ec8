import type { Rule, ValueCondition } from '../../../contract/rules.ts';

/** An address that a rule leads from; `href` is null where it stands for many. */
export interface RouteAddress {
  readonly text: string;
  readonly href: string | null;
}

/** Where the routers listen, as far as it is known. */
export interface Origin {
  readonly scheme: 'http' | 'https';
  readonly port: number | null;
}

/** The addresses of a rule, one for each host. */
export function addressesOf({ match }: Pick<Rule, 'match'>, { scheme, port }: Origin): RouteAddress[] {
  const path = match.path ?? match.path_prefix ?? (match.path_regex === null ? '/' : null);
  const text = path ?? `~ ${match.path_regex}`;
  const isUsual = port === null || port === (scheme === 'https' ? 443 : 80);
  const hosts = match.hosts.length === 0 ? ['*'] : match.hosts;
  return hosts.map((host) => ({
    text: host + text,
    href:
      host.startsWith('*') || path === null ? null : `${scheme}://${host}${isUsual ? '' : `:${port}`}${path}`,
  }));
}

/** What else a request must be, besides its host and its path. */
export function conditionsOf({ match }: Pick<Rule, 'match'>): string[] {
  const named = (kind: string, all: Readonly<Record<string, ValueCondition>>) =>
    Object.entries(all).map(([name, condition]) => `${kind} ${name}${valueText(condition)}`);
  return [
    ...(match.methods.length > 0 ? [match.methods.join(', ')] : []),
    ...named('header', match.headers),
    ...named('query', match.query),
    ...named('cookie', match.cookies),
    ...(match.networks.length > 0 ? [`from ${match.networks.join(', ')}`] : []),
    ...(match.tags.length > 0 ? [`X-Davit-Tag: ${match.tags.join(', ')}`] : []),
  ];
}

function valueText(condition: ValueCondition): string {
  if (typeof condition === 'string') return ` = ${condition}`;
  if ('regex' in condition) return ` ~ ${condition.regex}`;
  return condition.present ? '' : ' absent';
}
