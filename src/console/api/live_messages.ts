import type { AlertList } from '../../contract/alerts.ts';
import type { Event } from '../../contract/events.ts';
import type { LiveDeployment, LiveService } from '../../contract/live.ts';
import type { Stats } from '../../contract/stats.ts';

/** What comes by the live stream, by name. */
export interface LiveMessages {
  event: Event;
  service: LiveService;
  deployment: LiveDeployment;
  stats: Stats;
  alerts: AlertList;
  /** More was missed than can be told. */
  skipped: object;
}
