import type { RuleTest, TestRule } from '../contract/rule_requests.ts';
import { canonicalAddress } from '../lib/addresses.ts';
import { DavitError } from '../lib/errors.ts';
import { explain, type InstanceLoad } from '../routing/explain.ts';
import type { RoutedRequest } from '../routing/request.ts';
import type { TrafficFacts } from './facts.ts';
import type { Publisher } from './publisher.ts';

/** Which rule and which instance a request would get by the table of now, and why. Throws `router_unavailable` where there is no router. */
export function testRule(publisher: Publisher, facts: TrafficFacts, given: TestRule): RuleTest {
  const request = routedRequest(given);
  const table = publisher.table();
  if (table === null)
    throw new DavitError(
      'router_unavailable',
      'there is no router: set `router` in the configuration of the agent',
    );
  const loads = new Map<string, InstanceLoad>();
  for (const { instance_id, open_requests, open_websockets, ejected } of facts.instances())
    loads.set(instance_id, { open: open_requests + open_websockets, ejected });
  return explain(table, request, loads);
}

const urlPattern = /^(?:(https?):\/\/([^/?#@]+))?(\/[^?#]*)?(?:\?([^#]*))?(?:#.*)?$/;

/** The request as a router would see it. Throws `invalid_request` where it names no host, or is no address. */
export function routedRequest({ method, url, headers, client }: TestRule): RoutedRequest {
  const fields = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const [all, scheme, authority = fields.get('host'), path = '/', query = ''] = urlPattern.exec(url) ?? [];
  if (all === undefined)
    throw invalid('url', 'must be an http address such as http://example.org/cart, or a path');
  if (authority === undefined)
    throw invalid('url', 'must name a host, or the header host must stand beside it');
  fields.set('host', authority);
  return {
    method,
    host: authority.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, ''),
    path: encoded(path),
    query: encoded(query),
    client: canonicalAddress(client) ?? client,
    is_tls: scheme === 'https',
    header: (name) => fields.get(name),
  };
}

/** As a client sends what somebody typed. */
function encoded(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]+/g, encodeURIComponent);
}

function invalid(path: string, message: string): DavitError {
  return new DavitError('invalid_request', `${path} in the body: ${message}`, {
    details: [{ path, message }],
  });
}
