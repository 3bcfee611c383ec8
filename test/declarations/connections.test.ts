import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { portsOf, readConnections } from '../../src/declarations/connections.ts';

test('only established connections count, by the port of this host', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000
   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000
   2: 0100007F:D431 0100007F:1F90 01 00000000:00000000
   3: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:D432 01 00000000:00000000
   4: 0100007F:1F90 0100007F:D433 06 00000000:00000000
`;
  assert.deepEqual(portsOf(table), [8080, 54321, 8080]);
});

test('connections to a real server are counted', { skip: process.platform !== 'linux' }, async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  assert.equal(readConnections()?.(port), 0);
  const clients = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all(clients.map((client) => once(client, 'connect')));
  assert.equal(readConnections()?.(port), 2);
  for (const client of clients) client.destroy();
  server.close();
});
