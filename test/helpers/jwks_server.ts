import type { JsonWebKey, KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A real server of an issuer's public keys. */
export interface JwksServer extends AsyncDisposable {
  readonly url: string;
  /** How often it was asked. */
  requests: number;
  /** What it shows, by key id. */
  keys: Record<string, KeyObject>;
  /** Answers instead of the keys, when set. */
  answer: RequestListener | null;
}

export async function startJwksServer(keys: Record<string, KeyObject>): Promise<JwksServer> {
  const server = createServer((request, response) => {
    jwks.requests++;
    if (jwks.answer) return jwks.answer(request, response);
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: toJwks(jwks.keys) }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const jwks: JwksServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    requests: 0,
    keys,
    answer: null,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return jwks;
}

function toJwks(keys: Record<string, KeyObject>): JsonWebKey[] {
  return Object.entries(keys).map(([kid, key]) => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' }));
}
