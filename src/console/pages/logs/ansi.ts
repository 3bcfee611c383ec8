import Anser from 'anser';
import { type LinePart, visible } from './line_parts.ts';

type Color = readonly [number, number, number];

// biome-ignore-start lint/suspicious/noControlCharactersInRegex: escape sequences are made of them.
/** Links, titles and whatever else is no text; what is between their begin and their end goes too. */
const strings = /\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)/g;
/** Sequences that move a cursor, delete and ask, and colours in a form that is hardly known. */
const movements = /\u001b\[(?![\d;]*m)[0-?]*[ -/]*[@-~]/g;
const others = /\u001b[ -/]*[0-Z\\^-~]/g;
/** What is left of a sequence where a line was cut. */
const cutOff = /\u001b(?:\[[\d;]*)?$/;
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: escape sequences are made of them.

/** How light text may be at most on light, and how dark at least on dark, to be read (relative luminance; 4.5 : 1). */
const lightest = 0.14;
const darkest = 0.29;

/** A line with escape sequences as parts with the looks that they ask for; they do nothing else. */
export function ansiParts(line: string, isDark: boolean): LinePart[] {
  if (!line.includes('\u001b')) return [{ text: visible(line), look: '' }];
  const text = line.replace(strings, '').replace(movements, '').replace(others, '').replace(cutOff, '');
  return Anser.ansiToJson(text, { use_classes: true, remove_empty: true, json: true }).map((chunk) => {
    const looks = chunk.decorations.filter((name) => ['bold', 'dim', 'italic', 'underline'].includes(name));
    const foreground = colorOf(chunk.fg, chunk.fg_truecolor);
    const background = colorOf(chunk.bg, chunk.bg_truecolor);
    if (chunk.fg && !foreground) looks.push(chunk.fg as never);
    if (chunk.bg && !background) looks.push(`on ${chunk.bg}` as never);
    return {
      text: visible(chunk.content),
      look: [...new Set<string>(looks)].join(' '),
      ...(foreground && !chunk.bg && { color: css(readable(foreground, isDark)) }),
      ...(background && {
        background: css(background),
        color: luminance(background) > 0.18 ? '#000' : '#fff',
      }),
    };
  });
}

/** null: none, or one of the sixteen that have classes. */
function colorOf(name: string | null, exact: string | null): Color | null {
  if (name === 'ansi-truecolor') return (exact ?? '').split(',').map(Number) as unknown as Color;
  const palette = /^ansi-palette-(\d+)$/.exec(name ?? '');
  return palette ? paletteColor(Number(palette[1])) : null;
}

/** Of the 256 colours those from 16 on: a cube of 6 × 6 × 6, and 24 greys. */
function paletteColor(index: number): Color {
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return [grey, grey, grey];
  }
  const part = (size: number) => {
    const step = Math.floor((index - 16) / size) % 6;
    return step === 0 ? 0 : 55 + step * 40;
  };
  return [part(36), part(6), part(1)];
}

/** The colour itself where it can be read, else one nearer to black or to white. */
function readable(color: Color, isDark: boolean): Color {
  let nearer = color;
  for (let share = 0.1; share <= 1; share += 0.1) {
    const light = luminance(nearer);
    if (isDark ? light >= darkest : light <= lightest) return nearer;
    nearer = color.map((part) => part + ((isDark ? 255 : 0) - part) * share) as unknown as Color;
  }
  return nearer;
}

/** The relative luminance of WCAG, 0 to 1. */
export function luminance([red, green, blue]: Color): number {
  const linear = (part: number) => {
    const value = part / 255;
    return value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function css(color: Color): string {
  return `rgb(${color.map(Math.round).join(' ')})`;
}
