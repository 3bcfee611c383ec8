import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openFront, RawClient, settings } from '../helpers/http_front.ts';
import { openRecordingBackend, type SeenRequest } from '../helpers/recording_backend.ts';

/** Every case holds on the full path alone, and where the fast path gets the connection first. */
const ways = [
  { isFast: false, by: 'the full path' },
  { isFast: true, by: 'the fast path first' },
];

/** What a client sends, and then nothing more. */
async function play(
  t: TestContext,
  text: string,
  isFast: boolean,
): Promise<{ answers: string; seen: SeenRequest[]; bytes: string }> {
  const backend = await openRecordingBackend(t);
  const { port, service } = await openFront(t, [backend.port], settings(), { isFast });
  const client = await RawClient.open(t, port);
  client.write(text);
  // It ends the connection, or the last request says that it is to be ended.
  const answers = await client.closed();
  assert.equal(service.open_leases, 0);
  return { answers, seen: backend.requests(), bytes: backend.bytes.join('') };
}

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const last = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** Requests that are refused, with what is behind them; nothing of them may reach a backend. */
const refused: Readonly<Record<string, { text: string; status: number }>> = {
  'both Content-Length and Transfer-Encoding, the length first (CL.TE)': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${5 + smuggled.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    status: 400,
  },
  'both, the coding first (TE.CL)': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
    status: 400,
  },
  'a coding behind a space before its colon': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a coding that is not chunked': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
    status: 400,
  },
  'the coding identity': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n${smuggled}`,
    status: 400,
  },
  'two codings in two headers': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${smuggled}`,
    status: 400,
  },
  'chunked twice': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a second coding before chunked': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    status: 501,
  },
  'a coding after chunked': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a coding with HTTP/1.0': {
    text: `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    status: 400,
  },
  'two lengths that differ': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    status: 400,
  },
  'two lengths that are the same': {
    text: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab',
    status: 400,
  },
  'a list of lengths': {
    text: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nab',
    status: 400,
  },
  'a length with a sign': {
    text: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab',
    status: 400,
  },
  'a negative length': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a length as hexadecimal digits': {
    text: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\nab',
    status: 400,
  },
  'a length with a space in it': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0 ${smuggled.length}\r\n\r\n${smuggled}`,
    status: 400,
  },
  'an empty length': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a length larger than any': {
    text: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n${smuggled}`,
    status: 400,
  },
  'lines that end with a bare line feed': {
    text: `GET / HTTP/1.1\nHost: a\n\n${smuggled}`,
    status: 400,
  },
  'a header that ends with a bare line feed': {
    text: `GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a head that ends with a bare line feed': {
    text: `GET / HTTP/1.1\r\nHost: a\r\n\n${smuggled}`,
    status: 400,
  },
  'a bare carriage return in a header': {
    text: `GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\rContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a zero byte in a header': {
    text: `GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\0\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a space before the colon of a header': {
    text: `GET / HTTP/1.1\r\nHost: a\r\nX-One : 1\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a first header that begins with a space': {
    text: `GET / HTTP/1.1\r\n Host: a\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a header without a name': { text: `GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n${smuggled}`, status: 400 },
  'two hosts': { text: `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${smuggled}`, status: 400 },
  'no host': { text: `GET / HTTP/1.1\r\nX-One: 1\r\n\r\n${smuggled}`, status: 400 },
  'an empty host': { text: `GET / HTTP/1.1\r\nHost:\r\n\r\n${smuggled}`, status: 400 },
  'a host that is a list': { text: `GET / HTTP/1.1\r\nHost: a, b\r\n\r\n${smuggled}`, status: 400 },
  'a host with a path': { text: `GET / HTTP/1.1\r\nHost: a/b\r\n\r\n${smuggled}`, status: 400 },
  'a host with a user': { text: `GET / HTTP/1.1\r\nHost: b@a\r\n\r\n${smuggled}`, status: 400 },
  'a host whose port is none': { text: `GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n${smuggled}`, status: 400 },
  'a target with a space': { text: `GET /a b HTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`, status: 400 },
  'a target with a fragment': { text: `GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`, status: 400 },
  'a target without a slash': { text: `GET a HTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`, status: 400 },
  'an encoded slash in the path': { text: `GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`, status: 400 },
  'a path that goes above the root': {
    text: `GET /../b HTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`,
    status: 400,
  },
  'a version that does not exist': { text: `GET / HTTP/1.2\r\nHost: a\r\n\r\n${smuggled}`, status: 400 },
  'HTTP/0.9': { text: 'GET /\r\n\r\n', status: 505 },
  'the preface of HTTP/2': { text: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: 400 },
  'a method in lower case': { text: `get / HTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`, status: 400 },
  CONNECT: { text: `CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n${smuggled}`, status: 405 },
};

for (const { isFast, by } of ways)
  for (const [what, { text, status }] of Object.entries(refused))
    test(`refused with ${status} by ${by}, and no backend sees anything of it: ${what}`, async (t) => {
      const { answers, bytes } = await play(t, text, isFast);
      assert.match(answers, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.equal(answers.match(/HTTP\/1\.1 \d/g)?.length, 1, 'nothing behind it is answered');
      assert.match(answers, /\r\nConnection: close\r\n/i);
      assert.equal(bytes, '');
    });

/** Requests that break off where they are no longer well-formed: the backend may see their beginning, never their end. */
const broken: Readonly<Record<string, string>> = {
  'a chunk size that is none': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n${smuggled}`,
  'a chunk size with a sign': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n${smuggled}`,
  'a chunk size as 0x2': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n${smuggled}`,
  'a chunk size larger than any': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\nab\r\n0\r\n\r\n${smuggled}`,
  'a chunk longer than its size': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n${smuggled}`,
  'a chunk size with a bare line feed': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n${smuggled}`,
  'a chunk that ends with a bare line feed': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\n0\r\n\r\n${smuggled}`,
  'a length among the trailers': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nContent-Length: 5\r\n\r\n${smuggled}`,
  'a chunk extension with a bare line feed': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\nab\r\n0\r\n\r\n${smuggled}`,
};

for (const { isFast, by } of ways)
  for (const [what, text] of Object.entries(broken))
    test(`broken off by ${by}, and no backend sees a second request: ${what}`, async (t) => {
      const backend = await openRecordingBackend(t);
      const { port } = await openFront(t, [backend.port], settings(), { isFast });
      const client = await RawClient.open(t, port);
      const answers = await client.write(text).closed();
      assert.match(answers, /^$|^HTTP\/1\.1 400 /);
      assert.ok(!answers.slice(1).includes('HTTP/1.1'), 'nothing behind it is answered');
      const bytes = backend.bytes.join('');
      assert.ok(!bytes.includes('/smuggled'), 'nothing behind it is passed on');
      assert.ok(!bytes.includes('0\r\n\r\n'), 'it is never whole for the backend');
    });

/** Requests that are well-formed, if odd, each followed by one more: the backend sees just these, each as a whole. */
const served: Readonly<Record<string, { text: string; seen: Partial<SeenRequest>[] }>> = {
  'DELETE with chunks': {
    text: `DELETE /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
    seen: [{ line: 'DELETE /x HTTP/1.1', body: smuggled }],
  },
  'GET with chunks': {
    text: `GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
    seen: [{ line: 'GET /x HTTP/1.1', body: smuggled }],
  },
  'GET with a length': {
    text: `GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    seen: [{ line: 'GET /x HTTP/1.1', body: smuggled }],
  },
  'OPTIONS with chunks': {
    text: `OPTIONS /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
    seen: [{ line: 'OPTIONS /x HTTP/1.1', body: smuggled }],
  },
  'HEAD with a length': {
    text: `HEAD /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    seen: [{ line: 'HEAD /x HTTP/1.1', body: smuggled }],
  },
  'a body that looks like a request': {
    text: `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    seen: [{ line: 'POST /x HTTP/1.1', body: smuggled }],
  },
  'chunk extensions, which go no further': {
    text: 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b;c="d"\r\nab\r\n0;e\r\n\r\n',
    seen: [{ line: 'POST /x HTTP/1.1', body: 'ab' }],
  },
  'trailers of a request, which go no further': {
    text: 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nab\r\n0\r\nX-T: 1\r\n\r\n',
    seen: [{ line: 'POST /x HTTP/1.1', body: 'ab' }],
  },
  'a coding in capitals': {
    text: 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n2\r\nab\r\n0\r\n\r\n',
    seen: [{ line: 'POST /x HTTP/1.1', body: 'ab' }],
  },
  'two requests at once': {
    text: `GET /x HTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`,
    seen: [{ line: 'GET /x HTTP/1.1' }, { line: 'GET /smuggled HTTP/1.1' }],
  },
  'a target in absolute form, which wins over Host': {
    text: 'GET http://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n',
    seen: [{ line: 'GET /x?y HTTP/1.1' }],
  },
  'Connection that names what says how long the body is': {
    text: 'POST /x HTTP/1.1\r\nHost: a\r\nConnection: Content-Length, Host\r\nContent-Length: 2\r\n\r\nab',
    seen: [{ line: 'POST /x HTTP/1.1', body: 'ab' }],
  },
};

for (const { isFast, by } of ways)
  for (const [what, { text, seen }] of Object.entries(served))
    test(`served once by ${by}, and what follows is served too: ${what}`, async (t) => {
      const played = await play(t, text + last, isFast);
      assert.deepEqual(
        played.seen
          .map(({ line, body }, at) => ({ line, ...(seen[at]?.body !== undefined && { body }) }))
          .sort(byLine),
        [...seen, { line: 'GET /last HTTP/1.1' }].sort(byLine),
      );
      assert.equal(played.answers.match(/HTTP\/1\.1 200 /g)?.length, seen.length + 1);
    });

function byLine(one: Partial<SeenRequest>, other: Partial<SeenRequest>): number {
  return (one.line ?? '').localeCompare(other.line ?? '');
}

/** Requests for an upgrade that is not made are served as if that had not been asked for, and the connection ends. */
const notUpgraded: Readonly<Record<string, { text: string; seen: Partial<SeenRequest> }>> = {
  'to another version of HTTP': {
    text: 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
    seen: { line: 'GET /x HTTP/1.1', body: '' },
  },
  'to a WebSocket, by POST': {
    text: 'POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nab',
    seen: { line: 'POST /x HTTP/1.1', body: 'ab' },
  },
  'to a WebSocket, by HTTP/1.0': {
    text: 'GET /x HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    seen: { line: 'GET /x HTTP/1.1', body: '' },
  },
};

for (const { isFast, by } of ways)
  for (const [what, { text, seen }] of Object.entries(notUpgraded))
    test(`served by ${by} without the upgrade, and nothing that follows is served: ${what}`, async (t) => {
      const played = await play(t, text + smuggled, isFast);
      assert.deepEqual(
        played.seen.map(({ line, body }) => ({ line, body })),
        [seen],
      );
      assert.equal(played.answers.match(/HTTP\/1\.1 /g)?.length, 1);
      assert.match(played.answers, /\r\nConnection: close\r\n/);
      const names = played.seen[0]?.headers.map((header) =>
        header.slice(0, header.indexOf(':')).toLowerCase(),
      );
      assert.ok(!names?.includes('upgrade') && !names?.includes('http2-settings'));
    });

for (const { isFast, by } of ways)
  test(`requests that are whole are answered by ${by}, and what cannot be read behind them is not`, async (t) => {
    for (const junk of [
      'GET / HTTP/1.1\nHost: a\n\n',
      '\0\0\0',
      'GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n',
    ]) {
      const whole =
        'POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET /two HTTP/1.1\r\nHost: a\r\n\r\n';
      const { answers, seen } = await play(t, whole + junk + smuggled, isFast);
      assert.match(
        answers,
        /^HTTP\/1\.1 200 OK\r\n.*okHTTP\/1\.1 200 OK\r\n.*\r\nConnection: close\r\n.*ok$/s,
      );
      assert.equal(answers.match(/HTTP\/1\.1 /g)?.length, 2);
      assert.deepEqual(seen.map(({ line }) => line).sort(), ['GET /two HTTP/1.1', 'POST /one HTTP/1.1']);
    }
  });

for (const { isFast, by } of ways)
  test(`a header that is folded over two lines is no second header for the backend by ${by}`, async (t) => {
    const { answers, bytes } = await play(
      t,
      `GET /x HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n Content-Length: ${smuggled.length}\r\nConnection: close\r\n\r\n${smuggled}`,
      isFast,
    );
    assert.match(answers, /^HTTP\/1\.1 (200|400) /);
    assert.ok(!/\r\n\s*content-length/i.test(bytes));
    assert.ok(!bytes.includes('/smuggled'));
  });

for (const { isFast, by } of ways)
  test(`fields of this hop, also those that Connection names, do not reach the backend by ${by}`, async (t) => {
    const { seen } = await play(
      t,
      'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\nProxy-Connection: close\r\nTE: gzip, trailers\r\nUpgrade: foo\r\nX-Kept: 1\r\n\r\n',
      isFast,
    );
    const names = seen[0]?.headers.map((header) => header.slice(0, header.indexOf(':')).toLowerCase());
    assert.deepEqual(names?.sort(), [
      'connection',
      'forwarded',
      'host',
      'te',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-port',
      'x-forwarded-proto',
      'x-kept',
    ]);
    assert.ok(seen[0]?.headers.includes('TE: trailers'));
    assert.ok(seen[0]?.headers.includes('connection: keep-alive'));
  });
