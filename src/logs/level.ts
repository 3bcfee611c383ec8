import { type LogLevel, logLevels } from '../contract/scalars.ts';

const names: Readonly<Record<string, LogLevel>> = {
  trace: 'trace',
  verbose: 'trace',
  debug: 'debug',
  dbg: 'debug',
  info: 'info',
  inf: 'info',
  information: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  wrn: 'warn',
  error: 'error',
  err: 'error',
  fatal: 'fatal',
  ftl: 'fatal',
  critical: 'fatal',
  crit: 'fatal',
  panic: 'fatal',
  emerg: 'fatal',
  alert: 'fatal',
};

/** The numbers of syslog, as systemd takes them at the beginning of a line. */
const syslogLevels: readonly LogLevel[] = [
  'fatal',
  'fatal',
  'fatal',
  'error',
  'warn',
  'info',
  'info',
  'debug',
];
const initials: Readonly<Record<string, LogLevel>> = {
  D: 'debug',
  I: 'info',
  W: 'warn',
  E: 'error',
  F: 'fatal',
};

const inJson =
  /"(?:level|severity|lvl|log\.level|@level|@l|levelname|level_name|log_level|loglevel)"\s*:\s*(?:"([A-Za-z]{1,12})"|(\d{1,3}))/;
const inPairs = /\b(?:level|lvl|severity)=\s*"?([A-Za-z]{1,12})\b/;
const asNumber = /^<([0-7])>/;
const asInitial = /^([DIWEF])\d{4} \d\d:\d\d:\d\d/;
const asWord =
  /\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|PANIC)\b|\[(trace|debug|info|notice|warn|warning|error|crit|critical|alert|emerg|fatal|INF|DBG|WRN|ERR|FTL)\]|^(trace|debug|info|warn|warning|error|fatal):/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
const colours = /\u001b\[[\d;]*m/g;
/** How much of a line is looked at: what names its level stands near its beginning. */
const looked = 300;
const lookedInJson = 2_000;

/** The level that a line names, in JSON (also as pino's numbers) or in one of the common forms of text; null when none. */
export function levelOf(line: string): LogLevel | null {
  const start = line.slice(0, looked);
  if (start.startsWith('{')) return levelInJson(line.slice(0, lookedInJson));
  const text = start.includes('\u001b') ? start.replace(colours, '') : start;
  const [, number] = asNumber.exec(text) ?? [];
  if (number !== undefined) return syslogLevels[Number(number)] ?? null;
  const [, initial] = asInitial.exec(text) ?? [];
  if (initial !== undefined) return initials[initial] ?? null;
  const [, pair] = inPairs.exec(text) ?? [];
  const word =
    pair ??
    asWord
      .exec(text)
      ?.slice(1)
      .find((found) => found !== undefined);
  return word === undefined ? null : (names[word.toLowerCase()] ?? null);
}

/** Whether a line of this level is at least `least`; one that names none counts as info. */
export function isAtLeast(level: LogLevel | null, least: LogLevel): boolean {
  return logLevels.indexOf(level ?? 'info') >= logLevels.indexOf(least);
}

function levelInJson(text: string): LogLevel | null {
  const [, name, number] = inJson.exec(text) ?? [];
  if (number !== undefined) return fromNumber(Number(number));
  return name === undefined ? null : (names[name.toLowerCase()] ?? null);
}

/** pino's numbers: 10 is trace, 60 is fatal. */
function fromNumber(number: number): LogLevel | null {
  if (number < 10 || number > 69) return null;
  return logLevels[Math.floor(number / 10) - 1] ?? null;
}
