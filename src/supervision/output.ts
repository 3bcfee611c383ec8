/** Where the output of one run of a service goes. */
export interface Capture {
  /** The descriptors of which the process is given copies. */
  readonly stdout: number;
  readonly stderr: number;
  /** To be called when the process has ended. */
  close(): Promise<void>;
}

/** Whose output it is. How much of it is kept is no concern of supervision: the logs ask for the service's spec. */
interface RunLabel {
  readonly release: number;
  /** Which of the service's instances, from 1. */
  readonly instance: number;
}

/** What supervision needs of the logs. */
export interface OutputStore {
  /**
   * Makes a place for the output of a new run; `run` counts the starts of the service, and no two runs of it share one.
   * Several runs of one service may be open at the same time. On a full disk the output goes nowhere, and that is told.
   */
  open(service: string, run: number, label: RunLabel): Capture;
  /** Takes up a run whose process outlived an earlier agent. */
  adopt(service: string, run: number, label: RunLabel): Capture;
  /** The greatest number of a run of a service of which something is there; 0 when there is none. */
  lastRun(service: string): number;
  /** The last lines of a run, as text, each of at most 1,000 characters. */
  tail(service: string, run: number, lines: number): Promise<string[]>;
  /** The first line of a run that matches a regular expression (RE2), written already or later; null once `signal` is aborted. */
  waitForLine(service: string, run: number, pattern: string, signal: AbortSignal): Promise<string | null>;
}

/** How many of the last lines an error shows. */
export const shownLines = 20;
