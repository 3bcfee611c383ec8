import type { RequestFacts } from './facts.ts';
import { asAddress, withoutDots } from './path.ts';

/** A host as it may stand in an address: nothing that could end the host and begin something else. */
const safeHost = /^(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])$/;

const placeholder = /\$\{([^{}]*)\}/;
const names = ['HOST', 'PATH', 'QUERY'];

/**
 * Makes addresses of a pattern. Nothing that a client sends can lead to another host than the pattern says: `${HOST}` is the
 * name of a host or the address is null, and a path never begins with two slashes, after which a host would stand.
 * Throws an Error that says which placeholder is unknown.
 */
export function redirectTo(pattern: string): (facts: RequestFacts) => string | null {
  // Of a text split by an expression with one group, every second part is what the group matched.
  const parts = pattern.split(placeholder).map((part, index) => (index % 2 === 0 ? asAddress(part) : part));
  const unknown = parts.find((part, index) => index % 2 === 1 && !names.includes(part));
  if (unknown !== undefined)
    throw new Error(`to holds \${${unknown}}, but there are only ${names.join(', ')} to be put in`);
  const needsHost = parts.some((part, index) => index % 2 === 1 && part === 'HOST');
  const isPath = /^(\/(?!\/)|\$\{PATH\})/.test(pattern);
  return (facts) => {
    if (needsHost && !safeHost.test(facts.request.host)) return null;
    const address = parts.map((part, index) => (index % 2 === 0 ? part : replacement(part, facts))).join('');
    return isPath ? address.replace(/^\/+/, '/') : address;
  };
}

function replacement(name: string, { request }: RequestFacts): string {
  if (name === 'HOST') return request.host;
  if (name === 'PATH') return withoutDots(request.path);
  return request.query === '' ? '' : `?${asAddress(request.query).replaceAll('#', '%23')}`;
}
