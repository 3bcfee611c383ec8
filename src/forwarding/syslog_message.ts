import type { LogLevel } from '../contract/scalars.ts';
import type { FeedLine } from '../logs/log_feed.ts';

/** RFC 5424, section 6.2.1. */
const severities: Readonly<Record<LogLevel, number>> = {
  trace: 7,
  debug: 7,
  info: 6,
  warn: 4,
  error: 3,
  fatal: 2,
};
/** What every receiver should take (RFC 5425, section 4.3.1), in bytes. */
const longestMessage = 8_192;
const longestName = 48;
const longestHost = 255;
/** The number that RFC 5612 sets aside for examples: there is none of our own. */
const structureId = 'davit@32473';

export interface SyslogPlace {
  readonly host: string;
  /** RFC 5424, section 6.2.1. */
  readonly facility: number;
}

/**
 * A line as a message of RFC 5424: APP-NAME is the service, PROCID its instance, MSGID the stream. The text is UTF-8 without a byte
 * order mark, which most receivers would show. A message that would be longer than 8,192 bytes is cut, and says so.
 */
export function syslogMessage(service: string, line: FeedLine, { host, facility }: SyslogPlace): Buffer {
  const priority = facility * 8 + severities[line.level ?? 'info'];
  const name = service.slice(0, longestName);
  const header = `<${priority}>1 ${line.time} ${hostName(host)} ${name} ${line.instance} ${line.stream}`;
  const text = Buffer.from(shownControls(line.line));
  const whole = Buffer.from(`${header} ${structure(service, line, false)} `);
  if (whole.length + text.length <= longestMessage) return Buffer.concat([whole, text]);
  const cut = Buffer.from(`${header} ${structure(service, line, true)} `);
  return Buffer.concat([cut, text.subarray(0, characterEnd(text, longestMessage - cut.length))]);
}

/** How messages follow each other on a connection (RFC 6587): by their length in front, or by a line break behind. */
export function framed(message: Buffer, framing: 'octet_counting' | 'newline'): Buffer {
  return framing === 'newline'
    ? Buffer.concat([message, Buffer.from('\n')])
    : Buffer.concat([Buffer.from(`${message.length} `), message]);
}

function structure(service: string, line: FeedLine, isCut: boolean): string {
  const values = {
    service,
    release: line.release,
    instance: line.instance,
    id: line.id,
    ...(line.level !== null && { level: line.level }),
    ...(line.continues && { continues: true }),
    ...(isCut && { truncated: true }),
  };
  const parameters = Object.entries(values).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return `[${structureId} ${parameters.join(' ')}]`;
}

/** RFC 5424, section 6.3.3. */
function escaped(value: string): string {
  return value.replace(/["\\\]]/g, '\\$&');
}

/** Printable ASCII without spaces; `-`: not known. */
function hostName(host: string): string {
  return host.replace(/[^\x21-\x7e]/g, '').slice(0, longestHost) || '-';
}

/** Control characters but tab as `#033`, as rsyslog shows them: no line can look like two, or like something else in a terminal. */
function shownControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, (found) => {
    return `#${found.charCodeAt(0).toString(8).padStart(3, '0')}`;
  });
}

/** The place at or up to three bytes before `place` at which no character of UTF-8 is cut. */
function characterEnd(text: Buffer, place: number): number {
  let end = place;
  while (end > 0 && ((text[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end;
}
