import { missingTools } from '../lib/host_tools.ts';
import { type OwnAccount, ownAccount } from './account.ts';

/**
 * What this host or this account keeps from the agent, in sentences.
 * @param controlGroups why instances have no control group; null when they have
 */
export function limitations(
  controlGroups: string | null,
  { uid, name }: Pick<OwnAccount, 'uid' | 'name'> = ownAccount(),
  missing: readonly string[] = missingTools(),
): string[] {
  if (process.platform === 'win32') return controlGroups === null ? [] : [controlGroups];
  const isRoot = uid === 0;
  const account = `the agent runs as ${name ?? uid}, not as root: services cannot run as other users`;
  // Only root needs it.
  const tools = missing.filter((sentence) => isRoot || !sentence.startsWith('setpriv '));
  return [...(isRoot ? [] : [account]), ...(controlGroups === null ? [] : [controlGroups]), ...tools];
}
