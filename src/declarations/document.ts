import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { DavitError, type ErrorDetail, errorMessage } from '../lib/errors.ts';

/** Where something stands in a text, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A YAML text that could be read. */
export interface SourceDocument {
  readonly value: unknown;
  /**
   * Where the value at `path` stands, or its key; where there is no such place, the nearest one above it.
   * Aliases and merge keys are followed to what they stand for.
   */
  positionOf(path: readonly PropertyKey[], part: 'key' | 'value'): Position;
  /** Whether anything stands at `path`. */
  has(path: readonly PropertyKey[]): boolean;
}

/** How often aliases may be resolved: few lines of YAML must not become a heap of memory. */
const aliasLimit = 1_000;
/** How many faults of the text itself are told. */
const shownFaults = 20;

/** Reads YAML, of which JSON is a part. Throws `invalid_request` with every fault of the text and its place. */
export function readDocument(text: string, file: string): SourceDocument {
  const lines = new LineCounter();
  // A tag that is not of YAML itself is a warning only; what it would mean is not known, so it is refused as well.
  const document = parseDocument(text, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: true,
    version: '1.2',
  });
  const faults = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    path: '',
    message: plainly(message),
    ...positionAt(lines, pos[0]),
  }));
  if (faults.length > 0) throw invalid(file, faults.slice(0, shownFaults));
  const places = new Places(document, lines);
  return {
    value: toValue(document, file),
    positionOf: (path, part) => places.find(path, part).position,
    has: (path) => places.find(path, 'value').isExact,
  };
}

/** What is wrong with a file, as one error whose sentence tells the first place. */
export function invalid(file: string, details: readonly ErrorDetail[]): DavitError {
  const [first] = details;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  const place = first?.line === undefined ? file : `${file}:${first.line}:${first.column}`;
  const what = first?.path ? `${first.path}: ${first.message}` : first?.message;
  return new DavitError('invalid_request', `${place}: ${what}${more}`, { details });
}

function toValue(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasLimit }) ?? null;
  } catch (cause) {
    const message = /alias/i.test(errorMessage(cause))
      ? `its aliases stand for too much: at most ${aliasLimit} may be resolved`
      : errorMessage(cause);
    throw new DavitError('invalid_request', `${file}: ${message}`, {
      cause,
      details: [{ path: '', message, line: 1, column: 1 }],
    });
  }
}

/** Finds nodes by their path. */
class Places {
  readonly #document: Document;
  readonly #lines: LineCounter;

  constructor(document: Document, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  find(path: readonly PropertyKey[], part: 'key' | 'value'): { position: Position; isExact: boolean } {
    let node: unknown = this.#document.contents;
    let key: unknown = null;
    for (const step of path) {
      const found = this.#child(node, step);
      if (found === null) return { position: this.#positionOf(key, node), isExact: false };
      ({ key, node } = found);
    }
    const position = part === 'key' ? this.#positionOf(key, node) : this.#positionOf(node, key);
    return { position, isExact: true };
  }

  #child(parent: unknown, step: PropertyKey): { key: unknown; node: unknown } | null {
    const node = this.#resolved(parent);
    if (isSeq(node)) return Number(step) < node.items.length ? this.#item(node.items[Number(step)]) : null;
    if (!isMap(node)) return null;
    const pair = pairOf(node, String(step));
    if (pair !== undefined) return { key: pair.key, node: pair.value };
    const merged = pairOf(node, '<<')?.value;
    const sources = isSeq(this.#resolved(merged))
      ? (this.#resolved(merged) as { items: unknown[] }).items
      : [merged];
    for (const source of sources) {
      const found = source === undefined ? null : this.#child(source, step);
      if (found !== null) return found;
    }
    return null;
  }

  #item(item: unknown): { key: unknown; node: unknown } {
    return isPair(item) ? { key: item.key, node: item.value } : { key: item, node: item };
  }

  #resolved(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  /** The place of the first of these that has one. */
  #positionOf(...nodes: unknown[]): Position {
    const offset = nodes
      .map((node) => (node as Partial<Node> | null)?.range?.[0])
      .find((start) => start !== undefined);
    return positionAt(this.#lines, offset ?? 0);
  }
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key);
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** What the parser says in words that only its own users understand. */
const translations: readonly (readonly [RegExp, string])[] = [
  [/multiple documents/, 'holds several documents (---); give one'],
  [/stringKeys/, 'a key must be text; write it in quotes'],
  [/call stack/, 'is nested too deeply'],
  [/Map keys must be unique/, 'this key stands here twice'],
  [/Unresolved tag/, 'tags such as !this are not known here'],
];

/** The message of the parser as one line. */
function plainly(message: string): string {
  const [first = ''] = message.split('\n');
  return translations.find(([said]) => said.test(first))?.[1] ?? first.replace(/:$/, '');
}
