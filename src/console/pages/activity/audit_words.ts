import { useI18n } from 'vue-i18n';

/** Says in words what an operation does; an id that is not known stays as it is. */
export function useActionName() {
  const { t, te } = useI18n();
  return (id: string): string => (te(`activity.action_${id}`) ? t(`activity.action_${id}`) : id);
}
