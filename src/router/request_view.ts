import type { RoutedRequest } from '../routing/request.ts';
import { valuesOf } from './fields.ts';
import type { Origin } from './forwarding.ts';
import type { RequestHead } from './request_head.ts';

/** A request as those see it who decide where it goes. */
export function viewOf(head: RequestHead, { client, proto }: Origin): RoutedRequest {
  const { method, host, path, query, fields } = head;
  return {
    method,
    host,
    path,
    query,
    client,
    is_tls: proto === 'https',
    header(name) {
      const values = valuesOf(fields, name);
      return values.length === 0 ? undefined : values.join(name === 'cookie' ? '; ' : ', ');
    },
  };
}
