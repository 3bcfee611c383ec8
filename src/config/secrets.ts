import { redacted, redactText } from '../lib/redaction.ts';

/**
 * What fields show of their values by their names, wherever they stand: a path of an address, a header, an argument and
 * a template may hold a token. Files that hold a secret are shown by their paths, for they are none.
 */
const shown: ReadonlyMap<string, (value: unknown) => unknown> = new Map([
  ['url', hostOnly],
  ['headers', (headers) => mapValues(headers, () => redacted)],
  ['command', programOnly],
  ['body', () => redacted],
]);

/** A setting with `[redacted]` in place of what may be a secret. */
export function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  return mapValues(value, (inner, name) =>
    inner === undefined || inner === null ? null : (shown.get(name) ?? withoutSecrets)(inner),
  );
}

function hostOnly(address: unknown): unknown {
  const url = URL.parse(String(address));
  if (url === null) return redacted;
  const isWhole = url.pathname === '/' && url.search === '' && url.hash === '';
  return isWhole ? url.origin : `${url.origin}/${redacted}`;
}

function programOnly(command: unknown): unknown {
  const [program, ...others] = [command].flat();
  return [program, ...others.map(() => redacted)];
}

function mapValues(value: unknown, map: (inner: unknown, name: string) => unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, map(inner, name)]));
}
