/** As a field of the type `datetime-local` has it: in the zone of the browser, which it does not name. */
export function localTime(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** RFC 3339 of what stands in such a field; empty where nothing does. */
export function timeOf(local: string): string {
  const date = new Date(local);
  return local === '' || Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

/** What `1h` and `<from>/<until>` mean for the API; empty texts: no bound. */
export function rangeOf(when: string): { since: string; until: string } {
  if (!when.includes('/')) return { since: when, until: '' };
  const [since = '', until = ''] = when.split('/');
  return { since, until };
}
