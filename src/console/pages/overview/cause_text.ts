import type { Why } from '../../../contract/why.ts';
import type { Problem } from './problems.ts';

const isoTime = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours of terminals begin with one
const colours = /\u001b\[[\d;]*[A-Za-z]/g;
const telling = /error|exception|panic|fatal|cannot|could not|refused|denied/i;

type Told = Pick<Problem, 'service' | 'kind' | 'message'>;

/** Why it is so, as a sentence, with its times as `shown` tells them. */
export function causeOf(
  { service, kind, message }: Told,
  why: Pick<Why, 'state' | 'sentence'> | null,
  shown: (time: string) => string,
): string {
  const isTold = kind === 'alert' || kind === 'deployment_failed' || why === null;
  // What the state says already stands beside it.
  const begin = `${service?.id} is ${why?.state}`;
  const sentence = isTold ? message : why.sentence;
  const rest = sentence.startsWith(begin) ? sentence.slice(begin.length).replace(/^[.,] /, '') : sentence;
  const text = rest.replace(isoTime, shown);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Of the last lines that a process wrote, oldest first, the one that says most of what was wrong; empty: there is none. */
export function tellingLine(lines: readonly string[]): string {
  const texts = lines.map((line) => line.replace(colours, '').trim()).filter(Boolean);
  return texts.findLast((text) => telling.test(text)) ?? texts.at(-1) ?? '';
}
