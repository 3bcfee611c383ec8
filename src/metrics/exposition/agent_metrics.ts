import { commit, version } from '../../lib/version.ts';
import type { Tick } from '../tick.ts';
import { type MetricSet, single } from './metric_set.ts';

interface AgentSources {
  readonly tick: () => Tick | null;
  /** How many warnings there are. */
  readonly warnings: () => number;
  /** When the agent was started, in milliseconds since the epoch. */
  readonly started_at: number;
}

/** The agent itself, as it was at the last look. */
export function addAgentMetrics(metrics: MetricSet, { tick, warnings, started_at }: AgentSources): void {
  const agent = () => tick()?.agent;
  const info = [{ labels: { version, commit, node: process.version }, value: 1 }];
  metrics.gauge('davit_agent_info', 'Always 1; its labels say which agent this is.', () => info);
  metrics.gauge('davit_agent_start_time_seconds', 'When the agent was started, since 1970.', () =>
    single(started_at / 1_000),
  );
  metrics.counter('davit_agent_cpu_seconds_total', 'Processor time of the agent.', () =>
    single(agent()?.cpu_seconds),
  );
  metrics.gauge('davit_agent_resident_memory_bytes', 'Resident memory of the agent.', () =>
    single(agent()?.resident_bytes),
  );
  metrics.gauge('davit_agent_heap_bytes', 'Memory that the objects of the agent take.', () =>
    single(agent()?.heap_bytes),
  );
  metrics.gauge('davit_agent_open_fds', 'Open files of the agent.', () => single(agent()?.open_files));
  metrics.gauge(
    'davit_agent_event_loop_lag_max_seconds',
    'The longest time that work of the agent had to wait between the last two looks.',
    () => single(agent()?.event_loop_lag.max),
  );
  metrics.gauge(
    'davit_agent_event_loop_lag_p99_seconds',
    'The time within which 99 of 100 turns of the event loop began between the last two looks.',
    () => single(agent()?.event_loop_lag.p99),
  );
  metrics.gauge('davit_agent_warnings', 'What somebody should know; davit info says what.', () =>
    single(warnings()),
  );
  metrics.gauge('davit_measurement_timestamp_seconds', 'When usage was looked at last, since 1970.', () => {
    const at = tick()?.at;
    return single(at === undefined ? null : at / 1_000);
  });
  metrics.gauge('davit_measurement_duration_seconds', 'How long the last look at usage took.', () => {
    const took = tick()?.duration_ms;
    return single(took === undefined ? null : took / 1_000);
  });
}
