/** Where the output of one run of a service goes. */
export interface Capture {
  /** The descriptors that the process is given. */
  readonly stdout: number;
  readonly stderr: number;
  /** Gives up the agent's own descriptors, once the process has its. */
  release(): void;
  /** To be called when the process has ended. */
  close(): Promise<void>;
}

interface CaptureOptions {
  /** How many bytes of output are kept of the service, all its runs together. */
  readonly max_bytes: number;
}

/** What supervision needs of the logs. */
export interface OutputStore {
  open(service: string, run: number, options: CaptureOptions): Capture;
  /** Takes up a run whose process outlived an earlier agent. */
  adopt(service: string, run: number, options: CaptureOptions): Capture;
  /** The last lines of a run, as text. */
  tail(service: string, run: number, lines: number): Promise<string[]>;
}

/** How many of the last lines an error shows. */
export const shownLines = 20;
