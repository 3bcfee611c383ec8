/** The octets that the grammars of HTTP/1.1 name. */
export const lineFeed = 0x0a;
export const carriageReturn = 0x0d;
export const space = 0x20;
export const tab = 0x09;
export const colon = 0x3a;

/** For each octet whether, taken as a character of Latin-1, it is one of these: 1 or 0. */
export function octetTable(characters: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, octet) =>
    characters.test(String.fromCharCode(octet)) ? 1 : 0,
  );
}

/** Whether there stands a word, in capitals or not, that is given in lower case. */
export function isWord(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  return end - start === word.length && beginsWith(bytes, start, word);
}

/** Whether there begins a word, in capitals or not, of letters, digits and hyphens, that is given in lower case. */
export function beginsWith(bytes: Uint8Array, start: number, word: string): boolean {
  for (let index = 0; index < word.length; index++) {
    const octet = bytes[start + index] as number;
    const lower = octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
    if (lower !== word.charCodeAt(index)) return false;
  }
  return true;
}

/** Words in lower case and what they stand for, found in bytes without making strings of these. */
export class WordTable<Meaning> {
  /** By length: most words are told apart by that alone. */
  readonly #byLength: { readonly word: string; readonly meaning: Meaning }[][] = [];

  constructor(meanings: Readonly<Record<string, Meaning>>) {
    for (const [word, meaning] of Object.entries(meanings)) {
      while (this.#byLength.length <= word.length) this.#byLength.push([]);
      this.#byLength[word.length]?.push({ word, meaning });
    }
  }

  find(bytes: Uint8Array, start: number, end: number): Meaning | undefined {
    const length = end - start;
    if (length >= this.#byLength.length) return undefined;
    for (const { word, meaning } of this.#byLength[length] as { word: string; meaning: Meaning }[])
      if (beginsWith(bytes, start, word)) return meaning;
    return undefined;
  }
}
