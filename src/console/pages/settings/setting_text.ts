import type { Setting } from '../../../contract/agent_configuration.ts';

/** A value as it could stand in the file, which takes JSON where it takes YAML; a text without its quotation marks. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value === '' ? '""' : value;
  const isLong = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  return isLong ? JSON.stringify(value, null, 2) : JSON.stringify(value);
}

/** The settings that have every word of `search` in their names, values or descriptions. */
export function filterSettings(
  settings: readonly Setting[],
  { search, onlySet }: { search: string; onlySet: boolean },
): readonly Setting[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return settings.filter((setting) => {
    if (onlySet && setting.origin === 'default') return false;
    const text = [setting.path, textOf(setting.value), setting.description, setting.source]
      .join('\n')
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
