import { connect, type IncomingHttpHeaders } from 'node:http2';
import type { ProbeOf } from '../contract/probe.ts';
import { milliseconds } from '../lib/units.ts';
import { attempt, connectionFailure, excerpt, inAddress, type ProbeCheck, type Underway } from './attempt.ts';
import { decodeResponse, encodeRequest } from './grpc_message.ts';
import { afterwards } from './http_probe.ts';
import type { ProbedInstance } from './target.ts';
import { type TlsOptions, tlsOptions } from './tls_options.ts';

/** The largest answer that is taken, in bytes. */
const largestAnswer = 4_096;
const shownMessage = 200;

/** What the codes mean that a health check is likely to be answered with. */
const codeNames: Readonly<Record<string, string>> = {
  '5': 'the service is not known',
  '12': 'there is no such health check',
  '14': 'unavailable',
  '16': 'not authenticated',
};

/** Whether a server says by grpc.health.v1 that it serves. */
export function grpcProbe(probe: ProbeOf<'grpc'>, target: Pick<ProbedInstance, 'port'>): ProbeCheck {
  const { host, service, tls } = probe;
  const port = probe.port ?? target.port ?? 0;
  const address = `${tls === null ? 'http' : 'https'}://${inAddress(host)}:${port}`;
  const subject = `The gRPC health check of ${inAddress(host)}:${port}${service === '' ? '' : ` for ${service}`}`;
  const timeout_ms = milliseconds(probe.timeout);
  const request = encodeRequest(service);
  const headers = {
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': `${Math.min(Math.ceil(timeout_ms), 99_999_999)}m`,
  };

  return (signal) =>
    attempt({ subject, timeout_ms, signal }, (end) => {
      const start = (secure: TlsOptions | null): Underway => {
        const session = connect(address, { ...secure });
        const stream = session.request(headers);
        const answer = new Answer();
        stream.on('response', (head) => answer.take(head));
        stream.on('trailers', (head) => answer.take(head));
        stream.on('data', (chunk: Buffer) => {
          if (!answer.add(chunk)) end(false, 'was answered by more than a health check');
        });
        for (const each of [stream, session])
          each.on('error', (error) => end(false, connectionFailure(error)));
        stream.once('close', () => end(...answer.verdict()));
        stream.end(request);
        return { close: () => session.destroy(), waitsFor: () => 'an answer' };
      };
      return tls === null ? start(null) : afterwards(tlsOptions(tls, host), end, start);
    });
}

/** What a server has answered so far. */
class Answer {
  readonly #heads: IncomingHttpHeaders = {};
  #body = Buffer.alloc(0);

  take(head: IncomingHttpHeaders): void {
    Object.assign(this.#heads, head);
  }

  /** False when it is too long. */
  add(chunk: Buffer): boolean {
    this.#body = Buffer.concat([this.#body, chunk]);
    return this.#body.length <= largestAnswer;
  }

  verdict(): [success: boolean, message: string] {
    const { ':status': status, 'grpc-status': code, 'grpc-message': text } = this.#heads;
    if (status === undefined) return [false, 'failed: the connection was closed'];
    if (Number(status) !== 200) return [false, `was answered with HTTP status ${status}, expected 200`];
    if (code === undefined) return [false, 'was not answered to the end'];
    if (code !== '0') {
      const name = codeNames[String(code)] ?? 'an error';
      const why = text === undefined ? '' : `: ${excerpt(percentDecoded(String(text)), shownMessage)}`;
      return [false, `was answered with gRPC status ${code} (${name})${why}`];
    }
    const serving = decodeResponse(this.#body);
    return [serving === 'SERVING', `was answered ${serving ?? 'with an unreadable message'}`];
  }
}

/** As it stands where it is not encoded well. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
