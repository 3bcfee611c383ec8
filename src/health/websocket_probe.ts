import { WebSocket } from 'ws';
import type { ProbeOf } from '../contract/probe.ts';
import { compilePattern } from '../lib/pattern.ts';
import { milliseconds } from '../lib/units.ts';
import { attempt, connectionFailure, excerpt, inAddress, type ProbeCheck, type Underway } from './attempt.ts';
import { afterwards } from './http_probe.ts';
import type { ProbedInstance } from './target.ts';
import { type TlsOptions, tlsOptions } from './tls_options.ts';

/** The largest message that is taken, in bytes, and how much of it stands in a message of ours, in characters. */
const largestMessage = 65_536;
const shownMessage = 200;
/** How long a server gets to answer that the connection is closed, in milliseconds. */
const closeTimeout = 500;

/** Whether a WebSocket can be opened and, where that is wished, answers a message as it should. */
export function websocketProbe(
  probe: ProbeOf<'websocket'>,
  target: Pick<ProbedInstance, 'port'>,
): ProbeCheck {
  const { host, path, headers, send, tls } = probe;
  const port = probe.port ?? target.port ?? 0;
  const subject = `${tls === null ? 'ws' : 'wss'}://${inAddress(host)}:${port}${path}`;
  const timeout_ms = milliseconds(probe.timeout);
  const matches = probe.expect === null ? () => true : compilePattern(probe.expect);
  const limits = {
    perMessageDeflate: false,
    maxPayload: largestMessage,
    followRedirects: false,
    agent: false,
  };

  return (signal) =>
    attempt({ subject, timeout_ms, signal }, (end) => {
      const start = (secure: TlsOptions | null): Underway => {
        let waitsFor = 'the handshake';
        const socket = new WebSocket(subject, { headers, ...limits, ...secure });
        const onOpen = () => {
          if (send !== null) socket.send(send);
          if (probe.expect === null) return end(true, 'was opened');
          waitsFor = 'a message';
        };
        const onMessage = (data: Buffer) => {
          if (probe.expect === null) return;
          const text = data.toString('utf8');
          if (matches(text)) end(true, 'sent what is expected');
          else end(false, `sent "${excerpt(text, shownMessage)}", which does not match ${probe.expect}`);
        };
        socket.once('open', onOpen);
        socket.on('message', onMessage);
        socket.on('error', (error) => end(false, connectionFailure(error)));
        socket.once('close', (code) => end(false, `was closed (${code}) before a message came`));
        return { close: () => closeSocket(socket), waitsFor: () => waitsFor };
      };
      return tls === null ? start(null) : afterwards(tlsOptions(tls, host), end, start);
    });
}

/** Says goodbye, so that the server does not take it for a lost connection, but does not wait long for an answer. */
function closeSocket(socket: WebSocket): void {
  if (socket.readyState !== WebSocket.OPEN) {
    socket.terminate();
    return;
  }
  const timer = setTimeout(() => socket.terminate(), closeTimeout).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.close(1000);
}
