import {
  Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
import { hiddenMark } from './hidden_mark.ts';
import { type Fields, isFields } from './json_schema.ts';

export type Path = readonly (string | number)[];

/** Why a text cannot be read, and where, from 1. */
export interface TextProblem {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

/** How often aliases may be resolved. */
const aliasLimit = 1_000;
/** The longest list that is written in one line, in characters. */
const shortList = 80;

/** The fields of a service as YAML. It is changed in its document, so that comments and the order stay. */
export class ServiceText {
  readonly value: Fields;
  readonly problem: TextProblem | null;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(text: string) {
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      merge: true,
      prettyErrors: false,
      stringKeys: true,
      version: '1.2',
    }) as Document;
    const read = this.#read();
    this.value = read.value;
    this.problem = read.problem;
  }

  /** The text with another value at `path`. */
  with(path: Path, value: unknown): string {
    const document = this.#document.clone() as Document;
    const before = document.getIn(path, true);
    const node = isObject(value) ? document.createNode(value) : value;
    if (isNode(node)) {
      shorten(node);
      if (isNode(before)) node.comment = before.comment;
    }
    document.setIn(path, node);
    return textOf(document);
  }

  /**
   * The text without what stands at `path`, and without what is empty then.
   * @param floor so many keys of the path stay whatever is left below them
   */
  without(path: Path, floor = 0): string {
    const document = this.#document.clone() as Document;
    if (document.hasIn(path)) document.deleteIn(path);
    for (let length = path.length - 1; length > floor; length -= 1) {
      const above = path.slice(0, length);
      const left = document.getIn(above, true);
      if (isMap(left) && left.items.length === 0) document.deleteIn(above);
    }
    return textOf(document);
  }

  /** The text with another name for a key, at its place. */
  renamed(path: Path, name: string, next: string): string {
    const document = this.#document.clone() as Document;
    const within = document.getIn(path, true);
    const pair = isMap(within)
      ? within.items.find(({ key }) => (isScalar(key) ? key.value : key) === name)
      : undefined;
    if (pair) pair.key = document.createNode(next);
    return textOf(document);
  }

  /** Whether something at or above `path` stands elsewhere in the text, and is used there as well. */
  isLinked(path: Path): boolean {
    return path.some((_, index) => isAlias(this.#document.getIn(path.slice(0, index + 1), true)));
  }

  /** The line of what stands at `path`, or else above it. */
  lineOf(path: Path): number | null {
    for (let length = path.length; length > 0; length -= 1) {
      const node = this.#document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return this.#lines.linePos(node.range[0]).line;
    }
    return null;
  }

  /** The text without the values of variables, and without any comment: one could hold such a value. */
  withoutSecrets(): string {
    const { env, ...others } = this.value;
    if (!isFields(env)) return textOfFields(others);
    const names = Object.entries(env).map(([name, value]) => [name, value === hiddenMark ? value : null]);
    return textOfFields({ ...others, env: Object.fromEntries(names) });
  }

  #read(): Pick<ServiceText, 'value' | 'problem'> {
    const [fault] = [...this.#document.errors, ...this.#document.warnings];
    if (fault) return { value: {}, problem: this.#problemAt(fault.pos[0], fault.message) };
    try {
      const value = this.#document.toJS({ maxAliasCount: aliasLimit }) ?? {};
      if (isFields(value)) return { value, problem: null };
    } catch (error) {
      return {
        value: {},
        problem: this.#problemAt(0, error instanceof Error ? error.message : String(error)),
      };
    }
    return {
      value: {},
      problem: this.#problemAt(0, 'Fields are expected, such as "command: node server.js"'),
    };
  }

  #problemAt(offset: number, message: string): TextProblem {
    const { line, col } = this.#lines.linePos(offset);
    return { message, line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/** Fields as a text. */
export function textOfFields(fields: Fields): string {
  const document = new Document(fields);
  shorten(document);
  return textOf(document);
}

function textOf(document: Document): string {
  const { contents } = document;
  if (isMap(contents) && contents.items.length === 0) document.contents = null;
  if (document.contents === null && !document.commentBefore && !document.comment) return '';
  if (document.contents === null) return `${commentLines(document)}\n`;
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

function commentLines({ commentBefore, comment }: Document): string {
  const text = [commentBefore, comment].filter(Boolean).join('\n');
  return text
    .split('\n')
    .map((line) => `#${line}`)
    .join('\n');
}

/** Writes each short list of plain values in one line. */
function shorten(node: Node | Document): void {
  visit(node, {
    Seq: (_, seq) => {
      if (seq.items.every(isScalar) && JSON.stringify(seq.toJSON()).length <= shortList) seq.flow = true;
    },
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
