import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, constants } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { makeCertificate } from '../helpers/server_certificates.ts';
import { until } from '../helpers/system.ts';
import { everything, readLine } from './access_lines.ts';
import { FakeDirector } from './fake_director.ts';
import { Paths } from './paths.ts';
import { answerWith, WireServer } from './wire.ts';

async function setUp(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'davit-access-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const server = await WireServer.listen(t);
  const paths = new Paths(new FakeDirector(server.port), {
    access_log: everything,
    listener: { tls: true },
    certificates: [makeCertificate(folder, 'first', ['first.example'])],
  });
  const port = await paths.listen();
  t.after(() => paths.close());
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => {});
  t.after(() => session.destroy());
  const line = async (index = 0) => {
    await until(`line ${index} is written`, () => paths.lines.length > index);
    return readLine(paths.lines[index] as string);
  };
  return { server, session, line };
}

test('requests of HTTP/2 are written down with the bodies that went both ways', async (t) => {
  const { server, session, line } = await setUp(t);
  server.answer(() => answerWith('hello'));
  const stream = session.request({
    ':method': 'POST',
    ':path': '/upload?x=1',
    ':authority': 'first.example',
  });
  stream.end('four');
  assert.equal(await text(stream), 'hello');
  const { method, host, path, protocol, status, bytes_in, bytes_out, failure } = await line();
  assert.deepEqual(
    { method, host, path, protocol, status, bytes_in, bytes_out, failure },
    {
      method: 'POST',
      host: 'first.example',
      path: '/upload',
      protocol: 'http/2',
      status: 200,
      bytes_in: 4,
      bytes_out: 5,
      failure: null,
    },
  );
});

test('a stream of HTTP/2 that its client resets is written down as one whose client is gone', async (t) => {
  const { server, session, line } = await setUp(t);
  const stream = session.request({ ':path': '/slow', ':authority': 'first.example' });
  stream.on('error', () => {});
  await (await server.wire(0)).take('\r\n\r\n');
  stream.close(constants.NGHTTP2_CANCEL);
  await once(stream, 'close');
  const { status, failure, path } = await line();
  assert.deepEqual({ status, failure, path }, { status: null, failure: 'client_gone', path: '/slow' });
});
