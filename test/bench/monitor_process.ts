/** Watches the health of services in a process that does nothing else. */
import { probe } from '../../src/contract/probe.ts';
import { Monitor } from '../../src/health/monitor.ts';

let probes = 0;
let failures = 0;
const monitor = new Monitor({
  onChange: () => {},
  onResult: ({ success }) => {
    probes += 1;
    if (!success) failures += 1;
  },
  onProblem: (message) => process.stderr.write(`${message}\n`),
});

/** What the process is asked: to watch what listens on these ports, or how often it did so far. */
export type MonitorQuestion = { readonly ports: readonly number[] } | { readonly count: true };

export interface MonitorCount {
  readonly probes: number;
  readonly failures: number;
}

process.on('message', (question: MonitorQuestion) => {
  if ('ports' in question) {
    for (const [at, port] of question.ports.entries()) {
      monitor.watch({
        service: `s${at}`,
        instance: 1,
        started_at: Date.now(),
        port,
        readiness: null,
        liveness: probe.parse({ type: 'http', interval: '10s' }),
        runCommand: () => Promise.reject(new Error('there are no commands')),
        usage: async () => null,
        isAlive: () => true,
      });
    }
  }
  process.send?.({ probes, failures } satisfies MonitorCount);
});
