import type { DatabaseSync } from 'node:sqlite';
import type { Config } from './config/schema.ts';
import { ServiceCounts } from './metrics/service_counts.ts';
import type { ServicePlane } from './service_plane.ts';
import type { EventLog } from './services/event_log.ts';

interface ObservationPlaneOptions {
  readonly database: DatabaseSync;
  readonly events: EventLog;
  readonly services: ServicePlane;
  /** A place in the data directory. */
  readonly inData: (...names: string[]) => string;
  /** As they are now: they may change while the agent runs. */
  readonly settings: () => Config;
  readonly onProblem: (message: string) => void;
}

/** Makes the parts of the agent that tell others how it is and how its services are, and puts them together. None of them keeps a service from running. */
export function createObservationPlane(options: ObservationPlaneOptions) {
  const { events } = options;
  const counts = new ServiceCounts(events);

  return {
    counts,

    /** What somebody should know, in sentences. */
    get warnings(): string[] {
      return [];
    },

    /** Begins to measure and to tell. To be called when what runs has been taken up. */
    begin(): void {},

    /** The settings may be others. */
    reload(): void {},

    /** Ends what is under way; what could not be told yet is kept for the next agent. */
    async close(): Promise<void> {},
  };
}

export type ObservationPlane = ReturnType<typeof createObservationPlane>;
