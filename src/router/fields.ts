/** Header fields as they came: name, value, name, value… */
export type Fields = readonly string[];

/** Fields that speak of one connection alone, never of the message on it (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** What `Connection` must not take away: the message would be another one without it. */
const alwaysKept = new Set(['connection', 'content-length', 'host']);

/** Every value of a field, in order. @param name in lower case */
export function valuesOf(fields: Fields, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const each = fields[at] as string;
    if (each.length === name.length && each.toLowerCase() === name) values.push(fields[at + 1] as string);
  }
  return values;
}

/** All fields but those of one name, in lower case. */
export function without(name: string, fields: Fields): string[] {
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2)
    if ((fields[at] as string).toLowerCase() !== name)
      kept.push(fields[at] as string, fields[at + 1] as string);
  return kept;
}

/** The members of a field that is a comma-separated list, in lower case. */
export function membersOf(fields: Fields, name: string): string[] {
  return valuesOf(fields, name)
    .flatMap((value) => value.split(','))
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '');
}

/**
 * The fields that go on to the next hop: all but those of this connection, by the RFC or because `Connection` names them.
 * @param drops which more do not, by name in lower case
 */
export function endToEnd(fields: Fields, drops: (name: string) => boolean): string[] {
  const named = new Set(membersOf(fields, 'connection').filter((name) => !alwaysKept.has(name)));
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = (fields[at] as string).toLowerCase();
    if (hopByHop.has(name) || named.has(name) || drops(name)) continue;
    kept.push(fields[at] as string, fields[at + 1] as string);
  }
  return kept;
}

/** How large fields are where each has its own line, in bytes. */
export function sizeOf(fields: Fields): number {
  let size = 0;
  for (const each of fields) size += each.length + 2;
  return size;
}

/** The fields of an answer that undici gives as it read them. */
export function decoded(raw: readonly Buffer[]): string[] {
  return raw.map((each) => each.toString('latin1'));
}
