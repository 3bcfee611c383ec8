import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, createServer, type Server } from 'node:tls';
import { type OwnCertificateTrust, trustInOwn } from '../../src/cli/own_certificate.ts';
import { type Certificates, contents, makeCertificates } from './certificates.ts';

let folder: string;
let made: Certificates;
let server: Server;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-own-'));
  made = makeCertificates(folder);
  server = createServer(contents(made.server), (socket) => socket.end());
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The message of what kept a connection from being secure; '': it is. */
async function attempt(trust: OwnCertificateTrust | null): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port, servername: 'somebody.else', ...trust });
  try {
    await once(socket, 'secureConnect');
    return '';
  } catch (error) {
    return (error as Error).message;
  } finally {
    socket.destroy();
  }
}

test('a certificate that an unknown authority signed is believed where it is the very one, and no other is', async () => {
  assert.match(await attempt({} as never), /unable to/);
  assert.equal(await attempt(trustInOwn(made.server.cert)), '');
  assert.notEqual(await attempt(trustInOwn(made.client.cert)), '');
});

test('the authority itself and its other certificates are not believed in place of the one', async () => {
  const file = join(folder, 'chain.pem');
  writeFileSync(file, Buffer.concat([contents(made.client).cert, contents(made.server).cert]));
  assert.notEqual(await attempt(trustInOwn(file)), '', 'only the first of a chain is what is shown');
  assert.match(await attempt(trustInOwn(made.ca)), /it is not the certificate in .*ca\.pem/);
});

test('what cannot be read, or is no certificate, gives no trust', () => {
  assert.equal(trustInOwn(join(folder, 'nothing.pem')), null);
  assert.equal(trustInOwn(made.server.key), null);
});
