import type { AlertEvent, AlertRule, ShownAlertRule } from '../../../contract/alerts.ts';
import { useSession } from '../../stores/session.ts';

/** Which events are of a service; the others are of the host or the agent. */
const isOfService: Readonly<Record<AlertEvent, boolean>> = {
  service_failed: true,
  restart_loop: true,
  unhealthy: true,
  deployment_failed: true,
  deployment_rolled_back: true,
  log_quota_reached: true,
  disk_low: false,
  agent_restarted: false,
  certificate_expiring: false,
  router_missing: false,
  delivery_failing: false,
};
export const alertEvents = Object.keys(isOfService) as AlertEvent[];

/** Whether a rule is about services, each by itself. */
export function isOfServices({ event, series }: Pick<AlertRule, 'event' | 'series'>): boolean {
  return event === undefined ? series?.startsWith('service.') === true : isOfService[event];
}

/** What this one may do with rules: one on any service, the host or the agent takes an administrator. */
export function useRuleRights() {
  const session = useSession();

  function mayChange(rule: ShownAlertRule): boolean {
    if (rule.origin !== 'api') return false;
    if (!isOfServices(rule) || rule.services.includes('*')) return session.can('admin', null);
    return rule.services.every((glob) => session.can('deploy', glob));
  }

  return { mayChange, mayCreate: () => session.can('deploy') };
}
