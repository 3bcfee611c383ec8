import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { connect } from 'node:net';
import type { ProbeOf } from '../contract/probe.ts';
import { compilePattern } from '../lib/pattern.ts';
import { milliseconds } from '../lib/units.ts';
import { attempt, connectionFailure, excerpt, inAddress, type ProbeCheck, type Underway } from './attempt.ts';
import type { ProbedInstance } from './target.ts';
import { tlsOptions } from './tls_options.ts';

/** How much of a body is read, in bytes, and how much of it stands in a message, in characters. */
const largestBody = 65_536;
const shownBody = 200;

/** Whether a request is answered as it should be, to the end. Redirects are answers like any other. */
export function httpProbe(probe: ProbeOf<'http'>, target: Pick<ProbedInstance, 'port'>): ProbeCheck {
  const { host, method, path, headers, tls } = probe;
  const port = probe.port ?? target.port ?? 0;
  const subject = `${method} ${tls === null ? 'http' : 'https'}://${inAddress(host)}:${port}${path}`;
  const timeout_ms = milliseconds(probe.timeout);
  const isWanted = statusTest(probe.status);
  const matches = probe.body === null ? () => true : compilePattern(probe.body);
  const options = { host, port, method, path, headers };
  // Each asks over a connection of its own: one that was kept would prove nothing of new ones. Made here it costs less.
  const plain = { ...options, createConnection: () => connect({ host, port }) };

  const judge = (status: number, body: string): readonly [success: boolean, message: string] => {
    const shown = body.trim() === '' ? '' : `: ${excerpt(body, shownBody)}`;
    if (!isWanted(status)) return [false, `answered ${status}, expected ${probe.status.join(', ')}${shown}`];
    if (!matches(body))
      return [false, `answered ${status}, but its body does not match ${probe.body}${shown}`];
    return [true, `answered ${status}`];
  };

  return (signal) =>
    attempt({ subject, timeout_ms, signal }, (end) => {
      let waitsFor = 'an answer';
      const onAnswer = (answer: IncomingMessage) => {
        const { statusCode = 0 } = answer;
        waitsFor = `the rest of the body of its answer ${statusCode}`;
        readBody(answer, (body, isCut) => {
          const [success, message] = judge(statusCode, body);
          if (isCut && success)
            end(false, `answered ${statusCode}, but the connection ended within the body`);
          else end(success, message);
        });
      };
      const start = (send: () => ReturnType<typeof requestPlain>): Underway => {
        const request = send();
        request.on('response', onAnswer);
        // The connection is no longer the request's when the server switches to another protocol.
        request.on('upgrade', ({ statusCode = 0 }, socket) => {
          socket.destroy();
          end(...judge(statusCode, ''));
        });
        request.on('error', (error) => end(false, connectionFailure(error)));
        request.end();
        return { close: () => request.destroy(), waitsFor: () => waitsFor };
      };
      if (tls === null) return start(() => requestPlain(plain));
      return afterwards(tlsOptions(tls, host), end, (secure) =>
        start(() => requestSecure({ ...options, ...secure, agent: false })),
      );
    });
}

/** Begins once something is there. */
export function afterwards<T>(
  pending: Promise<T>,
  end: (success: boolean, message: string) => void,
  begin: (value: T) => Underway,
): Underway {
  let underway: Underway | null = null;
  let isClosed = false;
  const onFailure = (error: unknown) => end(false, connectionFailure(error));
  pending
    .then((value) => {
      if (!isClosed) underway = begin(value);
    })
    .catch(onFailure);
  const close = () => {
    isClosed = true;
    underway?.close();
  };
  return { close, waitsFor: () => underway?.waitsFor() ?? 'the file of authorities' };
}

/** Reads to the end, or as much as is wanted. `isCut`: the connection ended before its end. */
function readBody(answer: IncomingMessage, onEnd: (body: string, isCut: boolean) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const end = (isCut: boolean) =>
    onEnd(Buffer.concat(chunks).subarray(0, largestBody).toString('utf8'), isCut);
  answer.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= largestBody) end(false);
  });
  answer.once('end', () => end(false));
  answer.once('error', () => end(true));
}

/** What tells whether a status is among codes and ranges such as 200-299. */
function statusTest(wanted: ProbeOf<'http'>['status']): (status: number) => boolean {
  const ranges = wanted.map((each) => {
    const [first = 0, last = first] = String(each).split('-').map(Number);
    return { first, last };
  });
  return (status) => ranges.some(({ first, last }) => status >= first && status <= last);
}
