/** What of a request decides where it goes. */
export interface RoutedRequest {
  /** In capitals, as it came. */
  readonly method: string;
  /** In lower case, without port and final dot; an IPv6 address in brackets. */
  readonly host: string;
  /** As it came: begins with a slash, without the query. */
  readonly path: string;
  /** As it came, without the question mark; empty where there is none. */
  readonly query: string;
  /** The canonical address of the client, behind trusted proxies too. */
  readonly client: string;
  /** Whether it came by TLS, to this router or to a trusted proxy before it. */
  readonly is_tls: boolean;
  /** By name in lower case; several of one name are joined by ", " (cookies by "; "). */
  header(name: string): string | undefined;
}
