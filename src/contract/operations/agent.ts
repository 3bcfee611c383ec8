import { z } from 'zod';
import { agentInformation, health, logLevelSetting } from '../agent.ts';
import { agentConfiguration } from '../agent_configuration.ts';
import { doctorReport } from '../doctor.ts';
import { event, eventList, eventsQuery } from '../events.ts';
import * as live from '../live.ts';
import { orphanList, orphanPath, stoppedOrphan } from '../processes.ts';
import * as stats from '../stats.ts';
import type { Operation } from './operation.ts';
import { emptyBody } from './operation.ts';

/** The agent itself, and what it knows of everything: events, numbers, what is left over. */
export const agentOperations = {
  health: { summary: 'Whether the agent answers', tag: 'agent', answer: health, errors: [] },
  agentInformation: {
    tag: 'agent',
    summary: 'The agent itself',
    answer: agentInformation,
    errors: [],
  },
  showConfiguration: {
    tag: 'agent',
    summary: 'Every setting by which the agent runs, and where it comes from, without secrets',
    answer: agentConfiguration,
    errors: [],
  },
  doctor: {
    tag: 'agent',
    summary: 'What is wrong or missing on the host of the agent, and what to do about it',
    answer: doctorReport,
    errors: ['doctor_failed'],
  },
  setLogLevel: {
    tag: 'agent',
    summary: "Set the level of the agent's own log until it ends",
    body: logLevelSetting,
    answer: logLevelSetting,
    errors: [],
  },

  listEvents: {
    tag: 'agent',
    summary: 'What happened, oldest first, or a stream of it',
    query: eventsQuery,
    answer: eventList,
    stream: event,
    errors: [],
  },
  live: {
    tag: 'agent',
    summary: 'Everything that moves, as one stream of server-sent events',
    query: live.liveQuery,
    answer: live.liveMessage,
    answer_type: 'text/event-stream',
    errors: ['shutting_down'],
  },

  metrics: {
    summary: 'Everything that is measured, in the text format of Prometheus',
    tag: 'agent',
    answer: z.string(),
    answer_type: 'text/plain',
    errors: [],
  },
  showStats: {
    tag: 'agent',
    summary: 'How everything stands, in numbers',
    query: stats.statsQuery,
    answer: stats.stats,
    errors: [],
  },
  queryMetrics: {
    tag: 'agent',
    summary: 'What series were over a time, in steps',
    query: stats.metricsQuery,
    answer: stats.metricsAnswer,
    errors: ['service_not_found', 'not_supported', 'storage_unavailable'],
  },
  listSeries: {
    tag: 'agent',
    summary: 'The series of which a history is kept',
    answer: stats.seriesCatalogue,
    errors: [],
  },

  listOrphans: {
    tag: 'agent',
    summary: 'What runs of instances that no service has any more',
    answer: orphanList,
    errors: [],
  },
  stopOrphan: {
    tag: 'agent',
    path: orphanPath,
    summary: 'End an orphan with everything it started',
    body: emptyBody,
    answer: stoppedOrphan,
    errors: ['orphan_not_found', 'state_conflict', 'shutting_down'],
  },
} as const satisfies Record<string, Operation>;
