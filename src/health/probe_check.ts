import type { Probe } from '../contract/probe.ts';
import { errorMessage } from '../lib/errors.ts';
import type { ProbeCheck } from './attempt.ts';
import { execProbe } from './exec_probe.ts';
import { grpcProbe } from './grpc_probe.ts';
import { httpProbe } from './http_probe.ts';
import { processProbe } from './process_probe.ts';
import type { ProbedInstance } from './target.ts';
import { tcpProbe } from './tcp_probe.ts';
import { websocketProbe } from './websocket_probe.ts';

/** A probe of an instance, ready to be made. What cannot be made, such as for a bad pattern, always fails and says why. */
export function probeCheck(probe: Probe, target: ProbedInstance): ProbeCheck {
  try {
    return checkOf(probe, target);
  } catch (error) {
    const message = `The ${probe.type} probe cannot be made: ${errorMessage(error)}`;
    return async () => ({ success: false, message, duration_ms: 0 });
  }
}

function checkOf(probe: Probe, target: ProbedInstance): ProbeCheck {
  switch (probe.type) {
    case 'http':
      return httpProbe(probe, target);
    case 'tcp':
      return tcpProbe(probe, target);
    case 'exec':
      return execProbe(probe, target);
    case 'process':
      return processProbe(probe, target);
    case 'websocket':
      return websocketProbe(probe, target);
    case 'grpc':
      return grpcProbe(probe, target);
  }
}
