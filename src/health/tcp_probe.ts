import { connect } from 'node:net';
import type { ProbeOf } from '../contract/probe.ts';
import { milliseconds } from '../lib/units.ts';
import { attempt, connectionFailure, inAddress, type ProbeCheck } from './attempt.ts';
import type { ProbedInstance } from './target.ts';

/** Whether a connection can be made. */
export function tcpProbe(probe: ProbeOf<'tcp'>, target: Pick<ProbedInstance, 'port'>): ProbeCheck {
  const { host } = probe;
  const port = probe.port ?? target.port ?? 0;
  const subject = `A connection to ${inAddress(host)}:${port}`;
  const timeout_ms = milliseconds(probe.timeout);
  return (signal) =>
    attempt({ subject, timeout_ms, signal }, (end) => {
      const socket = connect({ host, port });
      socket.once('connect', () => end(true, 'was accepted'));
      socket.on('error', (error) => end(false, connectionFailure(error)));
      return { close: () => socket.destroy(), waitsFor: () => 'the connection' };
    });
}
