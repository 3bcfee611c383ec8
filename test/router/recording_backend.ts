import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { portOf } from './fake_director.ts';

/** A request as it reached an instance. */
export interface Recorded {
  /** The request line, then the header lines. */
  readonly lines: readonly string[];
  readonly body: string;
}

/** Answers in all the forms that there are, by the number that is the path. */
const forms: readonly string[] = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;c\r\nDigest: x\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 5\r\n\r\n',
  'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nA:b\r\nC:  d \r\nE:\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Own\r\nX-Own: 1\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\n\r\nhello',
  'nonsense\r\n\r\n',
];
/** Those after which the instance closes. */
const closing = new Set([7, 10, 11, 12, 13, 14, 15]);

/** An instance that writes down what reaches it, and answers each path that is a number in its own form. */
export class RecordingBackend {
  requests: Recorded[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  static async listen(): Promise<RecordingBackend> {
    const backend = new RecordingBackend();
    await once(backend.#server.listen(0, '127.0.0.1'), 'listening');
    return backend;
  }

  get port(): number {
    return portOf(this.#server);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    let text = '';
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let length = lengthOf(text); length !== null && socket.writable; length = lengthOf(text)) {
        this.#answer(socket, text.slice(0, length));
        text = text.slice(length);
      }
    });
  }

  #answer(socket: Socket, text: string): void {
    const end = text.indexOf('\r\n\r\n');
    const lines = text.slice(0, end).split('\r\n');
    this.requests.push({ lines, body: text.slice(end + 4) });
    const [, method, target] = /^(\S+) \/(\d+)? ?/.exec(lines[0] ?? '') ?? [];
    const number = Number(target ?? 0) % forms.length;
    const form = forms[number] as string;
    const answer = method === 'HEAD' ? form.slice(0, form.lastIndexOf('\r\n\r\n') + 4) : form;
    socket.write(method === 'HEAD' && number === 2 ? 'HTTP/1.1 200 OK\r\n\r\n' : answer, 'latin1');
    if (closing.has(number)) socket.end();
  }
}

/** How long the first request of a text is; null: it is not whole. What reaches an instance is well-formed by then. */
function lengthOf(text: string): number | null {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = text.slice(0, end);
  const start = end + 4;
  if (/^transfer-encoding:/im.test(head)) {
    const last = text.indexOf('0\r\n\r\n', start);
    return last === -1 ? null : last + 5;
  }
  const length = start + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  return text.length >= length ? length : null;
}
