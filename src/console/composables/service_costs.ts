import { useI18n } from 'vue-i18n';
import type { Service } from '../../contract/services.ts';
import { useServices } from '../stores/services.ts';

/** What it costs to touch what runs, as sentences. */
export function useCosts() {
  const { t } = useI18n();
  const services = useServices();

  function connections({ id }: Service): string {
    const open = services.numbers.get(id)?.open_connections ?? 0;
    return open === 0
      ? t('service.cost_no_connections')
      : t('service.cost_connections', { count: open }, open);
  }

  /** What ends for good. */
  function ending(service: Service): string {
    const { running } = service.status.instances;
    if (running === 0) return t('service.cost_nothing_runs');
    return `${t('service.cost_end', { count: running }, running)} ${connections(service)}`;
  }

  /** What is replaced by something new. */
  function replacing(service: Service): string {
    const { spec, status } = service;
    const { running } = status.instances;
    if (running === 0) return t('service.cost_nothing_runs');
    const hasRoom = spec.routes.length > 0 && spec.port !== null;
    const strategy = spec.rollout.strategy ?? (hasRoom ? 'rolling' : 'recreate');
    const sentence = t(
      `service.cost_${strategy === 'recreate' ? 'recreate' : 'replace'}`,
      { count: running },
      running,
    );
    return `${sentence} ${connections(service)}`;
  }

  function of(action: 'stop' | 'restart' | 'pause' | 'delete', service: Service): string {
    if (action === 'pause') return t('service.cost_pause');
    if (action === 'restart') return replacing(service);
    if (action === 'stop') return ending(service);
    return `${ending(service)} ${t('service.cost_delete', { id: service.id })}`;
  }

  return { of, replacing, connections };
}
