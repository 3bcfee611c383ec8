/** `http_proxy_3_process.ts <folder of the package> <port> <port of the service>`: a proxy as http-proxy-3's own examples make it. */
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';

interface ProxyServer {
  web(request: IncomingMessage, response: ServerResponse): void;
  ws(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  on(event: 'error', listener: (error: Error) => void): void;
}

const [folder = '', port, backend] = process.argv.slice(2);
const { createProxyServer } = createRequire(import.meta.url)(folder) as {
  createProxyServer(options: object): ProxyServer;
};
const proxy = createProxyServer({
  target: `http://127.0.0.1:${backend}`,
  // Without one it makes a connection for each request.
  agent: new Agent({ keepAlive: true, maxFreeSockets: 256 }),
  xfwd: true,
});
proxy.on('error', (error) => process.stderr.write(`${error.message}\n`));
const server = createServer({ keepAliveTimeout: 3_600_000 }, (request, response) =>
  proxy.web(request, response),
);
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head));
server.listen({ host: '127.0.0.1', port: Number(port), reusePort: true, backlog: 16_384 });
