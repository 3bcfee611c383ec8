import { type LinePart, shownCharacters, visible } from './line_parts.ts';

/** A number of which JavaScript would show another one. */
class ExactNumber {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

type Json = null | boolean | number | string | ExactNumber | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [key: string]: Json;
}

/** What services call that which happened. */
const messageKeys = ['msg', 'message', 'event', 'text'];
const levelKeys = new Set(['level', 'severity', 'lvl']);
const timeKeys = new Set(['time', 'timestamp', 'ts', '@timestamp']);
const deepest = 100;

/** The object that a line is; null for every other line. */
export function readJsonLine(line: string): JsonObject | null {
  const text = line.trim();
  if (!text.startsWith('{') || !text.endsWith('}')) return null;
  try {
    return JSON.parse(text, exact) as JsonObject;
  } catch {
    return null;
  }
}

function exact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isOther = typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER;
  return isOther && context?.source ? new ExactNumber(context.source) : value;
}

/** An object in a row: what happened, and then `key=value`, without what stands in the row already. */
export function jsonRowParts(object: JsonObject): LinePart[] {
  const messageKey = messageKeys.find((key) => typeof object[key] === 'string');
  const parts: LinePart[] = [];
  let left = shownCharacters;
  const add = (text: string, look: string) => {
    if (left > 0) parts.push({ text: visible(text.slice(0, left)), look });
    left -= text.length;
  };
  if (messageKey !== undefined) add(String(object[messageKey]), 'message');
  const others = Object.keys(object).filter((key) => key !== messageKey);
  const told = messageKey === undefined ? others : others.filter((key) => !isKnown(key, object[key] ?? null));
  for (const key of told) {
    add(`${parts.length > 0 ? ' ' : ''}${key}=`, 'key');
    add(shortValue(object[key] ?? null), 'value');
  }
  return parts;
}

/** Whether a row shows it before the line already: its level, and when it was. */
function isKnown(key: string, value: Json): boolean {
  if (levelKeys.has(key)) return /^(trace|debug|info|warn|warning|error|fatal|[1-6]0)$/i.test(String(value));
  if (!timeKeys.has(key)) return false;
  return typeof value === 'number' ? value > 1e9 : /^\d{4}-\d\d-\d\d[T ]\d\d:/.test(String(value));
}

function shortValue(value: Json): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return value;
  return treeParts(value, true)
    .map(({ text }) => text)
    .join('');
}

/** A value over many lines, two spaces deeper for each level, as it can be copied. */
export function jsonTreeParts(value: Json): LinePart[] {
  return treeParts(value, false).map((part) => ({
    ...part,
    text: part.text.split('\n').map(visible).join('\n'),
  }));
}

function treeParts(value: Json, isShort: boolean, depth = 0): LinePart[] {
  if (value instanceof ExactNumber) return [{ text: value.source, look: 'number' }];
  if (typeof value === 'string') return [{ text: JSON.stringify(value), look: 'string' }];
  if (value === null || typeof value !== 'object') return [{ text: String(value), look: 'number' }];
  const isList = Array.isArray(value);
  const [open, close] = isList ? ['[', ']'] : ['{', '}'];
  const items = Object.entries(value);
  if (items.length === 0) return [{ text: open + close, look: '' }];
  if (depth >= deepest) return [{ text: `${open}…${close}`, look: '' }];
  const place = (level: number) => (isShort ? '' : `\n${'  '.repeat(level)}`);
  const parts: LinePart[] = [{ text: open, look: '' }];
  for (const [index, [key, item]] of items.entries()) {
    parts.push({ text: `${index > 0 ? ',' : ''}${place(depth + 1)}`, look: '' });
    if (!isList) parts.push({ text: `${JSON.stringify(key)}:${isShort ? '' : ' '}`, look: 'key' });
    for (const part of treeParts(item as Json, isShort, depth + 1)) parts.push(part);
  }
  parts.push({ text: place(depth) + close, look: '' });
  return parts;
}
