const escapeCharacter = '\u001b';
/** Colours and other graphics within a text (CSI … m); split by it, each second part is one of them. */
export const graphics = new RegExp(`(${escapeCharacter}\\[[\\d;:]*m)`);
const resetGraphics = `${escapeCharacter}[0m`;

const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text of a service or a server, made fit to stand in one of our own lines: control characters, which could drive
 * the terminal, and invisible ones, which could reorder or hide what is read, are shown as `\x1b` or `\u{202e}`.
 */
export function safeText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, visible);
}

/**
 * A line that a service wrote, for a terminal. Colours and other graphics (CSI … m) are kept where wished, and ended
 * with the line; every other control character but the tab is shown as `safeText` would.
 */
export function logText(line: string, withColours: boolean): string {
  const parts = line.replace(/\r$/, '').split(graphics);
  const shown = parts.map((part, index) => {
    if (index % 2 === 1) return withColours ? part : '';
    return part.replace(/\p{Cc}/gu, (character) => (character === '\t' ? character : visible(character)));
  });
  return shown.join('') + (withColours && parts.length > 1 ? resetGraphics : '');
}

/**
 * A JSON text that no terminal acts upon: what JSON leaves as it is, but a terminal may obey (DEL, C1), or a reader be
 * misled by (changes of direction), is written as `\u009b`. It still parses to the same value.
 */
export function jsonText(value: unknown, indent: number): string {
  return JSON.stringify(value, null, indent).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\n'
      ? character
      : Array.from({ length: character.length }, (_, index) => codeUnit(character, index)).join(''),
  );
}

function visible(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hexadecimal = code.toString(16);
  return (
    shortEscapes[character] ?? (code < 256 ? `\\x${hexadecimal.padStart(2, '0')}` : `\\u{${hexadecimal}}`)
  );
}

function codeUnit(text: string, index: number): string {
  return `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`;
}
