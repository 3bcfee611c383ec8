import type { Section } from './report_sections.ts';

/** Fields whose values are secrets, or may hold some; a `…_file` only names where one is. */
const secretField =
  /(pass(word|wd)?|secret|token|credential|private|authorization|cookie|headers|api_?key|^env)$/i;
/** Addresses in a configuration may be secrets as a whole, as those of chats are: their host is enough. */
const addressField = /(^|_)url$/i;
const hidden = '[redacted]';

/** A report as text that a person can read through before sending it on. */
export function reportText(sections: readonly Section[], redact: (text: string) => string): string {
  const parts = sections.map(({ title, content }) => {
    const text = typeof content === 'string' ? content : JSON.stringify(withoutSecrets(content), null, 2);
    return `## ${title}\n\n${fence(redact(text ?? ''))}\n`;
  });
  return `# davit report\n\nMade by \`davit report\`. Secrets that it could recognise were taken out; read it before you send it.\n\n${parts.join('\n')}`;
}

/** A value with every secret replaced that stands in a field of its own. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shownField(name, each)]));
}

function shownField(name: string, value: unknown): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (secretField.test(name)) return typeof value === 'object' ? hideAll(value) : hidden;
  if (addressField.test(name) && typeof value === 'string') return originOf(value);
  return withoutSecrets(value);
}

/** The names stay: they say what is set. */
function hideAll(value: object): unknown {
  if (Array.isArray(value)) return value.map(() => hidden);
  return Object.fromEntries(Object.keys(value).map((name) => [name, hidden]));
}

function originOf(text: string): string {
  const url = URL.parse(text);
  if (url === null) return text;
  return url.pathname === '/' && url.search === '' ? url.origin : `${url.origin}/${hidden}`;
}

/** Longer than any run of backticks within, so that nothing ends it early. */
function fence(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const mark = '`'.repeat(longest + 1);
  return `${mark}\n${text.trimEnd()}\n${mark}`;
}
