import { type LogLevel, logLevels } from '../contract/scalars.ts';

const names: Readonly<Record<string, LogLevel>> = {
  trace: 'trace',
  verbose: 'trace',
  debug: 'debug',
  info: 'info',
  information: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  err: 'error',
  fatal: 'fatal',
  critical: 'fatal',
  crit: 'fatal',
  panic: 'fatal',
  emerg: 'fatal',
  alert: 'fatal',
};

const inJson = /"(?:level|severity|lvl|log\.level)"\s*:\s*(?:"([A-Za-z]{1,12})"|(\d{1,3}))/;
const inPairs = /\b(?:level|lvl|severity)=\s*"?([A-Za-z]{1,12})\b/;
const asWord =
  /\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|PANIC)\b|\[(trace|debug|info|notice|warn|warning|error|fatal|critical)\]|^(trace|debug|info|warn|warning|error|fatal):/;
/** How much of a line is looked at: what names its level stands at its beginning. */
const looked = 300;

/** The level that a line names, in JSON (also as pino's numbers) or in one of the common forms of text; null when none. */
export function levelOf(line: string): LogLevel | null {
  const start = line.slice(0, looked);
  if (start.startsWith('{')) {
    const [, name, number] = inJson.exec(start) ?? [];
    if (number !== undefined) return fromNumber(Number(number));
    return name === undefined ? null : (names[name.toLowerCase()] ?? null);
  }
  const [, pair] = inPairs.exec(start) ?? [];
  const word =
    pair ??
    asWord
      .exec(start)
      ?.slice(1)
      .find((found) => found !== undefined);
  return word === undefined ? null : (names[word.toLowerCase()] ?? null);
}

/** Whether a line of this level is at least `least`; one that names none counts as info. */
export function isAtLeast(level: LogLevel | null, least: LogLevel): boolean {
  return logLevels.indexOf(level ?? 'info') >= logLevels.indexOf(least);
}

/** pino's numbers: 10 is trace, 60 is fatal. */
function fromNumber(number: number): LogLevel | null {
  if (number < 10 || number > 69) return null;
  return logLevels[Math.floor(number / 10) - 1] ?? null;
}
