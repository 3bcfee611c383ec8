import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { openRawBackend } from './http_front.ts';

/** A request as a strict server sees it. */
export interface SeenRequest {
  readonly line: string;
  readonly headers: readonly string[];
  readonly body: string;
}

/** A backend that keeps every byte that it gets, and answers each request that it sees in them with 200. */
export interface RecordingBackend {
  readonly port: number;
  /** Every byte, by connection. */
  readonly bytes: readonly string[];
  /** Throws on what a strict server would not take. */
  requests(): SeenRequest[];
}

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

export async function openRecordingBackend(t: TestContext, text = answer): Promise<RecordingBackend> {
  const bytes: string[] = [];
  const port = await openRawBackend(t, (socket: Socket) => {
    const at = bytes.push('') - 1;
    let answered = 0;
    socket.setEncoding('latin1').on('data', (chunk) => {
      bytes[at] += String(chunk);
      const { requests } = frame(bytes[at] as string);
      for (; answered < requests.length; answered += 1) socket.write(text);
    });
  });
  const requests = () =>
    bytes.flatMap((each) => {
      const framed = frame(each);
      if (framed.rest !== '')
        throw new Error(`the backend got what is no request: ${JSON.stringify(framed.rest)}`);
      return framed.requests;
    });
  return { port, bytes, requests };
}

/** Reads requests by the letter of RFC 9112. What is left over is not whole. */
function frame(text: string): { requests: SeenRequest[]; rest: string } {
  const requests: SeenRequest[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) return { requests, rest };
    const [line = '', ...headers] = rest.slice(0, end).split('\r\n');
    if (!/^[A-Z]+ \/[^ ]* HTTP\/1\.1$/.test(line))
      throw new Error(`no request line: ${JSON.stringify(line)}`);
    for (const header of headers)
      if (!/^[\w!#$%&'*+.^`|~-]+: [^\r\n\0]*$/.test(header))
        throw new Error(`no header: ${JSON.stringify(header)}`);
    const body = bodyOf(headers, rest.slice(end + 4));
    if (body === null) return { requests, rest };
    requests.push({ line, headers, body: body.text });
    rest = rest.slice(end + 4 + body.length);
  }
}

function bodyOf(headers: readonly string[], rest: string): { text: string; length: number } | null {
  const values = (name: string) =>
    headers
      .filter((each) => each.toLowerCase().startsWith(`${name}: `))
      .map((each) => each.slice(name.length + 2));
  const lengths = values('content-length');
  const codings = values('transfer-encoding');
  if (lengths.length + codings.length > 1) throw new Error('the request says its length more than once');
  if (values('host').length !== 1) throw new Error('the request has not exactly one host');
  if (codings.length === 1) return chunks(rest);
  const length = Number(lengths[0] ?? 0);
  return rest.length < length ? null : { text: rest.slice(0, length), length };
}

function chunks(rest: string): { text: string; length: number } | null {
  let text = '';
  for (let at = 0; ; ) {
    const end = rest.indexOf('\r\n', at);
    if (end === -1) return null;
    const size = rest.slice(at, end);
    if (!/^[0-9a-fA-F]+$/.test(size)) throw new Error(`no chunk size: ${JSON.stringify(size)}`);
    const next = end + 2 + Number.parseInt(size, 16) + 2;
    if (rest.length < next) return null;
    if (rest.slice(next - 2, next) !== '\r\n') throw new Error('a chunk has no end');
    text += rest.slice(end + 2, next - 2);
    at = next;
    if (Number.parseInt(size, 16) === 0) return { text, length: at };
  }
}
