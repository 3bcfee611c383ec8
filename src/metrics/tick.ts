/** What the host does and has; sums since it booted are counters. Sizes in bytes, times in seconds. */
export interface HostUsage {
  /** Milliseconds since the epoch. */
  readonly booted_at: number;
  readonly processors: number;
  /** Of all processors together, since the boot. */
  readonly cpu_seconds: {
    readonly user: number;
    readonly system: number;
    readonly idle: number;
    readonly iowait: number;
    readonly steal: number;
  };
  /** Of 1, 5 and 15 minutes. */
  readonly load: readonly [number, number, number];
  readonly memory: { readonly total: number; readonly available: number };
  readonly swap: { readonly total: number; readonly free: number };
  /** Of the file system on which the data directory is; `available` to the agent. */
  readonly disk: { readonly total: number; readonly available: number; readonly files_free: number };
  /** Of all disks, since the boot. */
  readonly disk_io: { readonly read: number; readonly written: number };
  /** Without loopback, since the boot. */
  readonly network: { readonly received: number; readonly sent: number };
  /** How much of the last ten seconds some work waited for it (pressure stall information); null where the kernel does not tell. */
  readonly pressure: { readonly cpu: number; readonly memory: number; readonly io: number } | null;
}

/** What the agent itself uses. */
export interface AgentUsage {
  readonly cpu_seconds: number;
  readonly resident_bytes: number;
  readonly heap_bytes: number;
  readonly open_files: number;
  /** The longest time since the last tick that work had to wait, and within what 99 of 100 turns began, in seconds. */
  readonly event_loop_lag: { readonly max: number; readonly p99: number };
}

/** What all processes of one instance use together. */
export interface InstanceUsage {
  readonly service: string;
  readonly instance: number;
  readonly release: number;
  readonly instance_id: string;
  /** Since it was started, also of those of its processes that have ended as far as they were seen; never falls. */
  readonly cpu_seconds: number;
  readonly resident_bytes: number;
  readonly processes: number;
  readonly threads: number;
  readonly open_files: number;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
}

/** One look at the host and at all that runs. */
export interface Tick {
  /** When it was taken, in milliseconds since the epoch. */
  readonly at: number;
  /** How long it took, in milliseconds. */
  readonly duration_ms: number;
  /** null where the system does not tell. */
  readonly host: HostUsage | null;
  readonly agent: AgentUsage;
  readonly instances: readonly InstanceUsage[];
}
