import { longestCompositeCursor, mostMergedServices } from '../contract/merged_logs.ts';
import { serviceIdPattern } from '../contract/scalars.ts';
import { DavitError } from '../lib/errors.ts';
import type { Place, RunOffsets } from './cursor.ts';

/** A place in the output of each of several services. Before the output of a service that is not named lies nothing. */
export type CompositePlace = ReadonlyMap<string, Place>;

/** The place before all output of a service. */
export const beginPlace: Place = [{ run: 0, stdout: 0, stderr: 0 }];

/** The first byte: how the rest is to be read. */
const form = 1;
const mostRuns = 256;
/** Numbers are given in groups of seven bits, of which all but the last have the eighth bit. */
const groupSize = 0x80;

/**
 * Places as text: for each service its id and, of each run that is named, the numbers of a cursor. Where that gets too
 * long, fewer runs of each service are named, the last ones: what others write at the same time is passed over.
 */
export function formatCompositeCursor(places: CompositePlace): string {
  for (let most = mostRuns; ; most = Math.floor(most / 2)) {
    const text = encode(places, most);
    if (text.length <= longestCompositeCursor || most === 1) return text;
  }
}

/** Throws `invalid_request` for a text that is no such cursor. */
export function parseCompositeCursor(text: string): CompositePlace {
  const places = decode(Buffer.from(text, 'base64url'));
  // Whatever could be written in another way, too, is none of ours.
  if (text.length > longestCompositeCursor || encode(places, mostRuns) !== text) throw noCursor();
  return places;
}

function encode(places: CompositePlace, most: number): string {
  const bytes = [form];
  const named = [...places].filter(([, place]) => !isBegin(place));
  for (const [service, place] of named.sort(([one], [other]) => (one < other ? -1 : 1))) {
    const runs = place.slice(-most);
    bytes.push(service.length, ...Buffer.from(service, 'latin1'));
    putNumber(bytes, runs.length);
    let last = 0;
    for (const { run, stdout, stderr } of runs) {
      for (const number of [run - last, stdout, stderr]) putNumber(bytes, number);
      last = run;
    }
  }
  return Buffer.from(bytes).toString('base64url');
}

function decode(bytes: Buffer): CompositePlace {
  const reader = new Reader(bytes);
  if (reader.byte() !== form) throw noCursor();
  const places = new Map<string, Place>();
  while (!reader.isAtEnd) {
    const service = reader.text(reader.byte());
    const count = reader.number();
    const isRight = serviceIdPattern.test(service) && count >= 1 && count <= mostRuns;
    if (!isRight || places.size === mostMergedServices) throw noCursor();
    places.set(service, readPlace(reader, count));
  }
  return places;
}

function readPlace(reader: Reader, count: number): Place {
  const place: RunOffsets[] = [];
  let last = 0;
  for (let n = 0; n < count; n++) {
    const more = reader.number();
    if (n > 0 && more === 0) throw noCursor();
    last += more;
    place.push({ run: last, stdout: reader.number(), stderr: reader.number() });
  }
  if (!Number.isSafeInteger(last)) throw noCursor();
  return place;
}

function isBegin(place: Place): boolean {
  return place.length === 1 && place.every((each) => each.run + each.stdout + each.stderr === 0);
}

function putNumber(bytes: number[], number: number): void {
  let rest = number;
  while (rest >= groupSize) {
    bytes.push((rest % groupSize) + groupSize);
    rest = Math.floor(rest / groupSize);
  }
  bytes.push(rest);
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw noCursor();
    this.#at += 1;
    return byte;
  }

  number(): number {
    let number = 0;
    for (let factor = 1; ; factor *= groupSize) {
      const byte = this.byte();
      number += (byte % groupSize) * factor;
      if (!Number.isSafeInteger(number)) throw noCursor();
      if (byte < groupSize) return number;
    }
  }

  text(length: number): string {
    const text = this.#bytes.toString('latin1', this.#at, this.#at + length);
    this.#at += text.length;
    return text;
  }
}

function noCursor(): DavitError {
  return new DavitError('invalid_request', 'the cursor is not one that came with lines of several services');
}
