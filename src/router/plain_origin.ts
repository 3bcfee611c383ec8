import type { RoutedRequest } from '../routing/request.ts';
import type { ClientConnection } from './client_connection.ts';
import { fieldsIn, linesOf } from './field_lines.ts';
import { forwardedFields, originOf } from './forwarding.ts';
import { findHeader, type PlainHead, plainHost } from './plain_head.ts';

/** What of the requests of a connection is nearly always the same from one to the next. */
interface PlainOrigin {
  readonly authority: string;
  readonly proxy_lines: string;
  /** In lower case, without port and final dot. */
  readonly host: string;
  /** Of the client, behind trusted proxies too. */
  readonly client: string;
  readonly is_tls: boolean;
  /** The header lines that an instance gets in place of those about Host and proxies. */
  readonly lines: string;
}

/** Works out where the requests of one connection come from, once for all that say the same of it. */
export class PlainOrigins {
  readonly #connection: ClientConnection;
  readonly #isTrusted: (address: string) => boolean;
  #last: PlainOrigin | null = null;

  constructor(connection: ClientConnection, isTrusted: (address: string) => boolean) {
    this.#connection = connection;
    this.#isTrusted = isTrusted;
  }

  /** Null: the host that the request names is not plain. */
  find({ authority, proxy_lines }: PlainHead): PlainOrigin | null {
    const last = this.#last;
    if (last !== null && last.authority === authority && last.proxy_lines === proxy_lines) return last;
    const host = plainHost(authority);
    if (host === null) return null;
    const fields = fieldsIn(proxy_lines);
    const origin = originOf(fields, this.#connection, authority, this.#isTrusted);
    const forwarded = forwardedFields(fields, origin, authority, this.#connection.is_trusted);
    const { client, proto } = origin;
    const lines = linesOf(forwarded);
    this.#last = { authority, proxy_lines, host, client, is_tls: proto === 'https', lines };
    return this.#last;
  }
}

/** A plain request as those see it who decide where it goes. */
export class PlainRequest implements RoutedRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly client: string;
  readonly is_tls: boolean;
  readonly #head: PlainHead;
  #lines: string | null = null;

  constructor(head: PlainHead, { host, client, is_tls }: PlainOrigin) {
    this.method = head.method;
    this.host = host;
    this.path = head.path;
    this.query = head.query;
    this.client = client;
    this.is_tls = is_tls;
    this.#head = head;
  }

  header(name: string): string | undefined {
    const { bytes, lines_start, lines_end } = this.#head;
    this.#lines ??= bytes.toString('latin1', lines_start, lines_end);
    return findHeader(this.#lines, name);
  }
}
