import type { HostUsage, Tick } from '../tick.ts';
import type { Sample } from './computed_metric.ts';
import { type MetricSet, single } from './metric_set.ts';

type Read = (host: HostUsage) => number | null;

const gauges: readonly (readonly [name: string, help: string, read: Read])[] = [
  ['boot_time_seconds', 'When the host was booted, since 1970.', (host) => host.booted_at / 1_000],
  ['processors', 'Processors of the host.', (host) => host.processors],
  ['load1', 'The load average of one minute.', (host) => host.load[0]],
  ['load5', 'The load average of five minutes.', (host) => host.load[1]],
  ['load15', 'The load average of fifteen minutes.', (host) => host.load[2]],
  ['memory_bytes', 'Memory of the host.', (host) => host.memory.total],
  ['memory_available_bytes', 'Memory that can be had without swapping.', (host) => host.memory.available],
  ['swap_bytes', 'Swap space of the host.', (host) => host.swap.total],
  ['swap_free_bytes', 'Swap space that is free.', (host) => host.swap.free],
  ['disk_bytes', 'Size of the file system of the data directory.', (host) => host.disk.total],
  [
    'disk_available_bytes',
    'What is free for the agent on the file system of the data directory.',
    (host) => host.disk.available,
  ],
  [
    'disk_files_free',
    'How many more files there can be on the file system of the data directory.',
    (host) => host.disk.files_free,
  ],
];

const counters: typeof gauges = [
  ['disk_read_bytes_total', 'Read from all disks since the boot.', (host) => host.disk_io.read],
  ['disk_written_bytes_total', 'Written to all disks since the boot.', (host) => host.disk_io.written],
  [
    'network_receive_bytes_total',
    'Received since the boot, without loopback.',
    (host) => host.network.received,
  ],
  ['network_transmit_bytes_total', 'Sent since the boot, without loopback.', (host) => host.network.sent],
];

/** The host, as it was at the last look; nothing where the system does not tell. */
export function addHostMetrics(metrics: MetricSet, tick: () => Tick | null): void {
  const of = (read: Read) => () => {
    const host = tick()?.host ?? null;
    return single(host && read(host));
  };
  for (const [name, help, read] of gauges) metrics.gauge(`davit_host_${name}`, help, of(read));
  for (const [name, help, read] of counters) metrics.counter(`davit_host_${name}`, help, of(read));
  metrics.counter(
    'davit_host_cpu_seconds_total',
    'What all processors together did since the boot, by what it was for.',
    () => labelled('mode', tick()?.host?.cpu_seconds),
  );
  metrics.gauge(
    'davit_host_pressure_ratio',
    'How much of the last ten seconds some work waited for this resource (pressure stall information).',
    () => labelled('resource', tick()?.host?.pressure),
  );
}

function labelled(label: string, values: Readonly<Record<string, number>> | null | undefined): Sample[] {
  return Object.entries(values ?? {}).map(([name, value]) => ({
    labels: { [label]: name },
    value,
  }));
}
