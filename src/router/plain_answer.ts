import { carriageReturn, colon, isWord, lineFeed, octetTable, space, tab, WordTable } from './octets.ts';

/** How it is known where the body of an answer ends (RFC 9112, 6.3). */
export type BodyEnd = 'at_once' | 'length' | 'chunks' | 'close';

/** The head of an answer of an instance, as far as it matters to whoever passes it on. */
export interface PlainAnswer {
  readonly status: number;
  readonly body_end: BodyEnd;
  /** In bytes; of use with `length` alone. */
  readonly body_length: number;
  /** Whether the connection can be used again after it. */
  readonly keeps: boolean;
  /** How long the instance keeps it open, in milliseconds; null: it does not say. */
  readonly keeps_for: number | null;
  /** Begin and end, one after the other, of the lines that go no further, as they speak of this connection alone. */
  readonly cuts: readonly number[];
  /** Where the empty line begins that ends it. */
  readonly end: number;
}

type Meaning = 'length' | 'coding' | 'connection' | 'keep_alive' | 'hop';

const meanings = new WordTable<Meaning>({
  'content-length': 'length',
  'transfer-encoding': 'coding',
  connection: 'connection',
  'keep-alive': 'keep_alive',
  'proxy-connection': 'hop',
  'proxy-authenticate': 'hop',
  'proxy-authentication-info': 'hop',
  'proxy-authorization': 'hop',
  te: 'hop',
  upgrade: 'hop',
});

/** RFC 9110, 5.6.2: what a name consists of. */
const isName = octetTable(/[A-Za-z0-9!#$%&'*+\-.^_`|~]/);
/** A value: anything but control characters other than the tab. */
const isValue = octetTable(/[\t -~\x80-\xff]/);
const version = Buffer.from('HTTP/1.', 'latin1');
const zero = 0x30;
const headEnd = '\r\n\r\n';
/** What `Connection` must not take away: the answer would be another one without it. */
const alwaysKept = new Set(['close', 'keep-alive', 'connection', 'content-length', 'transfer-encoding']);

/** What is found on the way through the lines. */
class Fields {
  cuts: number[] = [];
  length: number | null = null;
  isChunked = false;
  /** The members of Connection, in lower case. */
  options: string[] = [];
  keepsFor: number | null = null;
}

/**
 * Reads the head of an answer between `start` and `end`. `malformed`: it can be read in more than one way, or in none; in
 * particular one whose body has two ends, a line that goes on in the next one, or a line feed alone.
 * @param isBodyless whether the request was one whose answer has no body: HEAD
 */
export function readPlainAnswer(
  bytes: Buffer,
  start: number,
  end: number,
  isBodyless: boolean,
): PlainAnswer | 'incomplete' | 'malformed' {
  const last = bytes.indexOf(headEnd, start, 'latin1');
  if (last === -1 || last + headEnd.length > end) return 'incomplete';
  const status = readStatus(bytes, start);
  const lineEnd = status === -1 ? -1 : endOfText(bytes, start + 12);
  if (lineEnd === -1 || status === 101) return 'malformed';
  const fields = readFields(bytes, lineEnd + 2, last + 2, status, []);
  if (fields === null || (fields.isChunked && fields.length !== null)) return 'malformed';
  const isOld = bytes[start + 7] === zero;
  if (isOld && fields.isChunked) return 'malformed';
  const body_end = endOfBody(status, isBodyless, fields);
  return {
    status,
    body_end,
    body_length: fields.length ?? 0,
    keeps: !isOld && body_end !== 'close' && !fields.options.includes('close'),
    keeps_for: fields.keepsFor,
    cuts: fields.cuts,
    end: last + 2,
  };
}

function endOfBody(status: number, isBodyless: boolean, { isChunked, length }: Fields): BodyEnd {
  if (isBodyless || status < 200 || status === 204 || status === 304) return 'at_once';
  if (isChunked) return 'chunks';
  return length === null ? 'close' : length === 0 ? 'at_once' : 'length';
}

/** The status of a line that begins as RFC 9112, 4 has it: `HTTP/1.1 200`, then a space or the end; -1: it does not. */
function readStatus(bytes: Buffer, start: number): number {
  for (let index = 0; index < version.length; index++) if (bytes[start + index] !== version[index]) return -1;
  const minor = (bytes[start + 7] as number) - zero;
  if ((minor !== 0 && minor !== 1) || bytes[start + 8] !== space) return -1;
  let status = 0;
  for (let at = start + 9; at < start + 12; at++) {
    const digit = (bytes[at] as number) - zero;
    if (digit < 0 || digit > 9) return -1;
    status = status * 10 + digit;
  }
  const after = bytes[start + 12];
  return status >= 100 && (after === space || after === carriageReturn) ? status : -1;
}

/** Where the text ends that begins there, and with it the line; -1: the line holds what no text may. */
function endOfText(bytes: Buffer, start: number): number {
  let at = start;
  while (isValue[bytes[at] as number] === 1) at++;
  return bytes[at] === carriageReturn && bytes[at + 1] === lineFeed ? at : -1;
}

/**
 * Reads the lines from `first` to `end`. Null: one is malformed.
 * @param named what `Connection` names, which goes no further either
 */
function readFields(
  bytes: Buffer,
  first: number,
  end: number,
  status: number,
  named: readonly string[],
): Fields | null {
  const fields = new Fields();
  for (let start = first; start < end; ) {
    let nameEnd = start;
    while (isName[bytes[nameEnd] as number] === 1) nameEnd++;
    if (nameEnd === start || bytes[nameEnd] !== colon) return null;
    const valueEnd = endOfText(bytes, nameEnd + 1);
    if (valueEnd === -1) return null;
    const meaning = meanings.find(bytes, start, nameEnd);
    if (meaning !== undefined && !takeField(fields, meaning, bytes, nameEnd + 1, valueEnd)) return null;
    const isCut =
      meaning === undefined ? isNamed(bytes, start, nameEnd, named) : meaning !== 'length' || status === 204;
    if (isCut) fields.cuts.push(start, valueEnd + 2);
    start = valueEnd + 2;
  }
  if (named.length > 0) return fields;
  const names = fields.options.filter((option) => !alwaysKept.has(option));
  return names.length === 0 ? fields : readFields(bytes, first, end, status, names);
}

function isNamed(bytes: Buffer, start: number, end: number, named: readonly string[]): boolean {
  for (const name of named) if (isWord(bytes, start, end, name)) return true;
  return false;
}

/** Takes in what a field says. False where that is malformed, or was said before. */
function takeField(fields: Fields, meaning: Meaning, bytes: Buffer, from: number, to: number): boolean {
  let start = from;
  let end = to;
  while (start < end && isBlank(bytes[start])) start++;
  while (end > start && isBlank(bytes[end - 1])) end--;
  switch (meaning) {
    case 'length':
      if (fields.length !== null) return false;
      fields.length = readNumber(bytes, start, end);
      return fields.length !== null;
    case 'coding':
      if (fields.isChunked || !isWord(bytes, start, end, 'chunked')) return false;
      fields.isChunked = true;
      return true;
    case 'connection':
      // Nearly always one of these, and then nothing is to be taken apart.
      if (isWord(bytes, start, end, 'close')) fields.options.push('close');
      else if (!isWord(bytes, start, end, 'keep-alive')) fields.options.push(...members(bytes, start, end));
      return true;
    case 'keep_alive':
      fields.keepsFor = readTimeout(bytes, start, end);
      return true;
    default:
      return true;
  }
}

function isBlank(octet: number | undefined): boolean {
  return octet === space || octet === tab;
}

/** A number of at most 15 digits, and of nothing else; null: it is none. */
function readNumber(bytes: Buffer, start: number, end: number): number | null {
  if (end === start || end - start > 15) return null;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - zero;
    if (digit < 0 || digit > 9) return null;
    number = number * 10 + digit;
  }
  return number;
}

function members(bytes: Buffer, start: number, end: number): string[] {
  const value = bytes.toString('latin1', start, end).toLowerCase();
  return value
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
}

/** What `Keep-Alive: timeout=5` says, in milliseconds. */
function readTimeout(bytes: Buffer, start: number, end: number): number | null {
  for (const member of members(bytes, start, end)) {
    const [, seconds] = /^timeout=(\d{1,6})$/.exec(member) ?? [];
    if (seconds !== undefined) return Number(seconds) * 1000;
  }
  return null;
}
