import { useI18n } from 'vue-i18n';
import type { Path } from './service_text.ts';

/** How fields are called. What has no name of its own in the messages is called as in the contract. */
export function useLabels() {
  const { t, te } = useI18n();

  function own(kind: string, path: Path): string | undefined {
    const key = `editor.${kind}_${path.filter((one) => typeof one === 'string').join('_')}`;
    return te(key) ? t(key) : undefined;
  }

  function field(path: Path): string {
    const name = String(path.at(-1) ?? '');
    const last = name.replaceAll('_', ' ');
    return own('field', path) ?? last.charAt(0).toUpperCase() + last.slice(1);
  }

  /** What is good to know of what was just written. */
  function hint(path: Path, value: unknown): string | undefined {
    return path.join('.') === 'port' && value === 'auto' ? t('editor.port_auto') : undefined;
  }

  return {
    field,
    hint,
    help: (path: Path) => own('help', path),
    placeholder: (path: Path) => own('placeholder', path),
  };
}
