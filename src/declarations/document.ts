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
  visit,
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
    // The parser compares each key with each other one.
    uniqueKeys: false,
    version: '1.2',
  });
  const said = [...document.errors, ...document.warnings].slice(0, shownFaults);
  const faults = [
    ...said.map(({ pos, message }) => ({ offset: pos[0], message: plainly(message) })),
    ...(said.length === 0 ? findRepeatedKeys(document) : []),
  ].map(({ offset, message }) => ({ path: '', message, ...positionAt(lines, offset) }));
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
  readonly #pairs = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

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
    const pairs = this.#pairsOf(node);
    const pair = pairs.get(String(step));
    if (pair !== undefined) return { key: pair.key, node: pair.value };
    const merged = pairs.get('<<')?.value;
    const sources = isSeq(this.#resolved(merged))
      ? (this.#resolved(merged) as { items: unknown[] }).items
      : [merged];
    for (const source of sources) {
      const found = source === undefined ? null : this.#child(source, step);
      if (found !== null) return found;
    }
    return null;
  }

  #pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
    const known = this.#pairs.get(map);
    if (known !== undefined) return known;
    const pairs = new Map(map.items.map((pair) => [keyOf(pair), pair] as const));
    this.#pairs.set(map, pairs);
    return pairs;
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

/** The keys of which a map holds more than one, but for the first of each. */
function findRepeatedKeys(document: Document): { offset: number; message: string }[] {
  const faults: { offset: number; message: string }[] = [];
  visit(document, {
    Map(_key, map) {
      const seen = new Set<string>();
      for (const pair of map.items) {
        const key = keyOf(pair);
        const offset = (pair.key as Node).range?.[0] ?? 0;
        if (seen.has(key)) faults.push({ offset, message: `"${key}" stands here twice` });
        seen.add(key);
      }
      return faults.length > shownFaults ? visit.BREAK : undefined;
    },
  });
  return faults.slice(0, shownFaults);
}

function keyOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : '';
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
  [/Unresolved tag/, 'tags such as !this are not known here'],
];

/** The message of the parser as one line. */
function plainly(message: string): string {
  const [first = ''] = message.split('\n');
  return translations.find(([said]) => said.test(first))?.[1] ?? first.replace(/:$/, '');
}
