import { logLine, logPage, logsQuery } from '../logs.ts';
import * as mergedLogs from '../merged_logs.ts';
import { servicePath } from '../services.ts';
import type { Operation } from './operation.ts';

/** What services wrote. */
export const logOperations = {
  serviceLogs: {
    tag: 'logs',
    path: servicePath,
    summary: 'The last lines that a service wrote, or a stream of them',
    query: logsQuery,
    answer: logPage,
    stream: logLine,
    errors: ['service_not_found'],
  },
  mergedLogs: {
    tag: 'logs',
    summary:
      'The last lines that several services wrote, merged by time, a stream of them, or a file with all of them',
    query: mergedLogs.mergedLogsQuery,
    answer: mergedLogs.mergedLogPage,
    stream: mergedLogs.mergedLines,
    errors: ['service_not_found'],
  },
} as const satisfies Record<string, Operation>;
