import type { LogLine } from '../contract/logs.ts';
import type { Terminal } from './terminal.ts';

/** A line, and where lines of several services are shown, whose it is. */
type Line = LogLine & { readonly service?: string };

/** By which services are told apart on a terminal, in the order in which they appear. */
const colours = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'] as const;

/** Lines as they are shown: with what tells them apart once they come from several releases or instances. */
export class ShownLines {
  readonly #terminal: Terminal;
  readonly #hasTimes: boolean;
  /** The releases and instances of each service from which lines came. */
  readonly #sources = new Map<string | undefined, Set<string>>();
  #width = 0;

  constructor(terminal: Terminal, hasTimes: boolean) {
    this.#terminal = terminal;
    this.#hasTimes = hasTimes;
  }

  /** Takes notice of where a line comes from. */
  note(line: Line): void {
    const sources = this.#sources.get(line.service) ?? new Set();
    this.#sources.set(line.service, sources.add(sourceOf(line)));
    this.#width = Math.max(this.#width, line.service?.length ?? 0);
  }

  text(line: Line): string {
    const terminal = this.#terminal;
    const isOfSeveral = (this.#sources.get(line.service)?.size ?? 0) > 1;
    const isLabelled = isOfSeveral && (this.#hasTimes || terminal.isTerminal);
    const labels = [
      ...(this.#hasTimes ? [line.time, line.stream] : []),
      ...(isLabelled ? [sourceOf(line)] : []),
    ].join(' ');
    const parts = [
      ...(line.service === undefined ? [] : [this.#name(line.service)]),
      ...(labels === '' ? [] : [terminal.style('dim', labels)]),
      terminal.logLine(line.line),
    ];
    return parts.join(' ');
  }

  /** On a terminal in a column and a colour of its own. */
  #name(service: string): string {
    const terminal = this.#terminal;
    const place = [...this.#sources.keys()].indexOf(service);
    const padded = terminal.isTerminal ? service.padEnd(this.#width) : service;
    return terminal.style(colours[place % colours.length] ?? 'cyan', padded);
  }
}

function sourceOf({ release, instance }: LogLine): string {
  return `r${release}.i${instance}`;
}
