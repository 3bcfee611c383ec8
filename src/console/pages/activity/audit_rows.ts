import type { AuditOutcome, AuditRecord } from '../../../contract/audit.ts';

/** A record with what tells it from every other. */
export interface AuditRow extends AuditRecord {
  readonly key: string;
}

/** The records of a page, which come oldest first, newest first. The parts of a batch may be alike in everything. */
export function auditRows(records: readonly AuditRecord[]): AuditRow[] {
  const seen = new Map<string, number>();
  return records
    .map((record) => {
      const text = JSON.stringify(record);
      const count = (seen.get(text) ?? 0) + 1;
      seen.set(text, count);
      return { ...record, key: `${text} ${count}` };
    })
    .reverse();
}

/** One record a line, oldest first, as the agent keeps them. */
export function ndjsonOf(rows: readonly AuditRow[]): string {
  return rows
    .toReversed()
    .map(({ key: _, ...record }) => `${JSON.stringify(record)}\n`)
    .join('');
}

/** As the agent tells outcomes apart. */
export function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return 'ok';
  return [401, 403, 429].includes(status) ? 'refused' : 'failed';
}

export const outcomes: readonly AuditOutcome[] = ['ok', 'refused', 'failed'];

/** What somebody can do that is written down, by the ids of operations. */
export const writtenActions = [
  'applyDeclaration',
  'batch',
  'cancelDeployment',
  'closeConnection',
  'closeConnections',
  'createAlertRule',
  'createKey',
  'createNotifier',
  'createRule',
  'createService',
  'createSilence',
  'deleteAlertRule',
  'deleteNotifier',
  'deleteRule',
  'deleteService',
  'deployService',
  'disableRule',
  'enableRule',
  'endSilence',
  'orderRules',
  'pauseService',
  'planDeclaration',
  'promoteDeployment',
  'replaceAlertRule',
  'replaceConfig',
  'replaceNotifier',
  'replaceRule',
  'restartInstance',
  'restartService',
  'resumeService',
  'revokeKey',
  'rollbackConfig',
  'rollbackService',
  'scaleService',
  'setLogLevel',
  'signIn',
  'signOut',
  'signOutEverywhere',
  'signalService',
  'startService',
  'stopOrphan',
  'stopService',
  'testNotifier',
  'testRule',
  'updateService',
  'uploadArtifact',
] as const;
