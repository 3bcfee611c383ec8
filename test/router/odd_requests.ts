/** What is sent over one connection: bytes in Latin-1, in the pieces in which they are written. */
export interface OddCase {
  readonly text: string;
  readonly pieces: readonly string[];
}

/** The last request of every case: its answer ends the connection, unless something before has done so. */
export const lastRequest = 'GET /last HTTP/1.1\r\nHost: last.test\r\nConnection: close\r\n\r\n';

const methods = [
  'GET',
  'GET',
  'GET',
  'GET',
  'GET',
  'HEAD',
  'HEAD',
  'POST',
  'OPTIONS',
  'DELETE',
  'get',
  'GE T',
  'G',
  'PRI',
  '',
];
/** The backend answers in another form for each number. */
const plainTargets = Array.from({ length: 16 }, (_, index) => `/${index}`);
const oddTargets = [
  '/',
  '/?',
  '/a?b=c&d',
  '/a?b?c',
  '/a//b',
  '//a',
  '/a/../b',
  '/a/./b',
  '/..',
  '/%2e%2e/a',
  '/a%2fb',
  '/a%5cb',
  '/a\\b',
  '/a%00',
  '/%zz',
  '/%',
  '/a b',
  '/a#b',
  '/a"b',
  '/a<b>',
  '/{a}',
  '/a|b',
  '/[a]',
  '/a;b=c',
  '/..;/a',
  '/\xe9',
  '/a\tb',
  '/a\0b',
  '*',
  '',
  'a',
  'http://a.test/',
  'http://b.test/x?y',
  'HTTP://a.test',
  'http://user@a.test/',
  'https://[::1]/',
  'a.test:80',
  `/${'a'.repeat(300)}`,
];
const versions = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/0.9',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/1.1 ',
  ' HTTP/1.1',
  'HTTP/1.10',
  'HTTP/1',
  'XTTP/1.1',
  '',
];
const hosts = [
  'a.test',
  'A.test:8080',
  'a.test.',
  'a.test:',
  'a.test:99999',
  '[::1]:80',
  '[::1',
  '10.0.0.1',
  'my_host',
  'a..test',
  'a.test, b.test',
  'a.test/x',
  'user@a.test',
  'a test',
  '',
  '\xe9.test',
  '-',
  '.',
];
const lines = [
  'Accept: */*',
  'User-Agent: curl/8.0 (x; y)',
  'Cookie: a=1; b="2"',
  'Cookie: c=3',
  'X-Two: 1',
  'x-two: 2',
  'Authorization: Bearer abc.def',
  'If-None-Match: "x"',
  'Range: bytes=0-',
  'X-Forwarded-For: 6.6.6.6',
  'X-Forwarded-Host: evil.test',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Prefix: /x',
  'X-Real-IP: 6.6.6.6',
  'Forwarded: for=6.6.6.6;proto=https',
  'X_Forwarded_For: 6.6.6.6',
  'X-Forwarded_For: 6.6.6.6',
  'Connection: keep-alive',
  'Connection: Keep-Alive',
  'Connection: close',
  'connection: CLOSE',
  'Connection: X-Two',
  'Connection: keep-alive, X-Two',
  'Connection: close, host',
  'Connection: ',
  'Keep-Alive: timeout=5',
  'Proxy-Connection: keep-alive',
  'Proxy-Authorization: Basic x',
  'Proxy-Authenticate: Basic',
  'Proxy-Authentication-Info: x',
  'TE: trailers',
  'TE: gzip',
  'Trailer: X',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
  'Expect: 100-continue',
  'Expect: something',
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: 05',
  'Content-Length: +5',
  'Content-Length: 5, 5',
  'Content-Length: -1',
  'Content-Length: ',
  'Content-Length : 5',
  'Content-Length:\t5',
  'Content_Length: 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding:\x0bchunked',
  ' Transfer-Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Transfer\x00-Encoding: chunked',
  'X: y\r\n Transfer-Encoding: chunked',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'X: y\n\nGET /smuggled HTTP/1.1\r\nHost: s.test\r\n',
  'X: y\r\r\n',
  'X:y',
  'X:  y',
  'X: y ',
  'X:\ty',
  'X: y\tz',
  'X: \xe9',
  'X: \x7f',
  'X: \x01',
  'X: \0',
  'X:',
  'X: ',
  ': y',
  'X',
  'X y: z',
  'X(y): z',
  '\xe9: y',
  'X.Y: z',
  "!#$%&'*+-.^_`|~: z",
  `X: ${'y'.repeat(1_500)}`,
];
const bodies = [
  '',
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
  '5\r\nhel',
  'GET /smuggled HTTP/1.1\r\nHost: s.test\r\n\r\n',
  '\r\n',
  '\n',
  '\0',
];
const lineEnds = ['\n', '\r', '\r\r\n', '\n\r', ' \r\n', '\r\n\r\n', ''];
const bytes = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  '\x7f',
  '\x80',
  '\xff',
  'A',
  '/',
  '?',
  '#',
  '%',
  ',',
  ';',
  '_',
  '"',
  '\x0b',
];

/** Makes requests that are plain, nearly plain, and not plain at all, always the same ones for the same numbers. */
export class OddRequests {
  readonly #random: () => number;

  /** @param random numbers from 0 to 1 */
  constructor(random: () => number) {
    this.#random = random;
  }

  next(): OddCase {
    const count = 1 + Math.floor(this.#random() * 3);
    let text = '';
    for (let index = 0; index < count; index++) text += this.#request();
    while (this.#random() < 0.25) text = this.#mutated(text);
    text += lastRequest;
    return { text, pieces: this.#pieces(text) };
  }

  #request(): string {
    const isOdd = this.#random() < 0.5;
    const method = isOdd ? this.#pick(methods) : this.#pick(['GET', 'HEAD']);
    const target = this.#pick(isOdd && this.#random() < 0.4 ? oddTargets : plainTargets);
    const version = isOdd && this.#random() < 0.2 ? this.#pick(versions) : 'HTTP/1.1';
    const fields = [`Host: ${isOdd && this.#random() < 0.3 ? this.#pick(hosts) : 'a.test'}`];
    if (isOdd && this.#random() < 0.1) fields.push(this.#pick(['Host: a.test', 'host: b.test', 'HOST: ']));
    if (isOdd && this.#random() < 0.05) fields.shift();
    while (this.#random() < 0.5) fields.push(this.#pick(isOdd ? lines : lines.slice(0, 15)));
    if (this.#random() < 0.3) fields.push(fields.shift() ?? '');
    const rows = [`${method} ${target} ${version}`, ...fields];
    const body = isOdd ? this.#pick(bodies) : '';
    return `${rows.map((row) => `${row}${this.#lineEnd(isOdd)}`).join('')}${this.#lineEnd(isOdd)}${body}`;
  }

  #lineEnd(isOdd: boolean): string {
    return isOdd && this.#random() < 0.02 ? this.#pick(lineEnds) : '\r\n';
  }

  #mutated(text: string): string {
    const at = Math.floor(this.#random() * text.length);
    const cut = this.#random() < 0.5 ? 1 : 0;
    return `${text.slice(0, at)}${this.#random() < 0.8 ? this.#pick(bytes) : ''}${text.slice(at + cut)}`;
  }

  #pieces(text: string): string[] {
    const pieces: string[] = [];
    let rest = text;
    while (rest.length > 1 && this.#random() < 0.4) {
      const length = 1 + Math.floor(this.#random() * (rest.length - 1));
      pieces.push(rest.slice(0, length));
      rest = rest.slice(length);
    }
    return [...pieces, rest];
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}
