import type { Routing } from '../../contract/balancing.ts';
import type { RequestFacts } from '../facts.ts';
import { hashText } from '../hash.ts';

/** The hash of what a request is known by; null: it has no such thing. */
export function hashKey({ source, name }: Routing['hash_by'], facts: RequestFacts): number | null {
  const value = keyText(source, name ?? '', facts);
  return value === undefined || value === null ? null : hashText(value);
}

function keyText(
  source: Routing['hash_by']['source'],
  name: string,
  facts: RequestFacts,
): string | null | undefined {
  switch (source) {
    case 'address':
      return facts.request.client;
    case 'header':
      return facts.request.header(name.toLowerCase());
    case 'cookie':
      return facts.cookies(name)[0];
    case 'query':
      return facts.parameters(name)[0];
    case 'path':
      return facts.path;
  }
}
