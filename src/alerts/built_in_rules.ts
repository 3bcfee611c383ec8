import { type AlertEvent, type AlertRule, alertRule } from '../contract/alerts.ts';

type ReadyMade = Omit<Partial<AlertRule>, 'name' | 'event'>;

/** The ready-made rules: one for each event, which bears its name. */
const readyMade: Readonly<Record<AlertEvent, ReadyMade>> = {
  service_failed: { severity: 'critical' },
  restart_loop: { severity: 'warning' },
  unhealthy: { severity: 'warning', for: '1m' },
  deployment_failed: { severity: 'warning' },
  deployment_rolled_back: { severity: 'warning' },
  disk_low: { severity: 'critical', keep_firing_for: '1m' },
  // A service that writes much reaches it again and again: told once a day, that is enough.
  log_quota_reached: { severity: 'info', repeat: '1d' },
  agent_restarted: { severity: 'warning' },
  certificate_expiring: { severity: 'warning', repeat: '1d' },
  router_missing: { severity: 'critical', for: '30s' },
  delivery_failing: { severity: 'warning', for: '5m' },
};

export const builtInRules: readonly AlertRule[] = Object.entries(readyMade).map(([event, rest]) =>
  alertRule.parse({ name: event, event, ...rest }),
);
