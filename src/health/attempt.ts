import { isIPv6 } from 'node:net';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';

/** What one probe found out. */
export interface ProbeResult {
  readonly success: boolean;
  /** For people: what was asked and what came of it. */
  readonly message: string;
  readonly duration_ms: number;
}

/** A probe of one instance, ready to be made. It never rejects; once `signal` is aborted, its result means nothing. */
export type ProbeCheck = (signal: AbortSignal) => Promise<ProbeResult>;

type End = (success: boolean, message: string) => void;

/** A probe that is under way. */
export interface Underway {
  /** Gives back whatever it holds, at once. */
  readonly close: () => void;
  /** What it waits for, as it is told when the time is over: `the rest of the body`. */
  readonly waitsFor: () => string;
}

interface AttemptOptions {
  /** What is asked, such as `GET http://127.0.0.1:80/`; every message begins with it. */
  readonly subject: string;
  /** For all of it together. */
  readonly timeout_ms: number;
  readonly signal: AbortSignal;
}

/** The longest time that a timer takes, in milliseconds; a longer one would be over at once. */
const longestTimer = 2 ** 31 - 1;
/** A timer that comes so much too late was not only inexact, in milliseconds. */
const heldUp = 50;

/** Makes a probe that ends once: by itself, with its time, or when it is called off. */
export function attempt(
  { subject, timeout_ms, signal }: AttemptOptions,
  begin: (end: End) => Underway,
): Promise<ProbeResult> {
  const began = performance.now();
  const { promise, resolve } = Promise.withResolvers<ProbeResult>();
  let underway: Underway | null = null;
  let hasEnded = false;
  const end: End = (success, message) => {
    if (hasEnded) return;
    hasEnded = true;
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    underway?.close();
    resolve({ success, message: `${subject} ${message}`, duration_ms: performance.now() - began });
  };
  const tooLong = () =>
    end(false, `took longer than ${timeout_ms} ms: it waited for ${underway?.waitsFor()}`);
  const onTimeout = () => {
    const late = performance.now() - began - timeout_ms;
    // This process was held up, and what came meanwhile has not been read yet.
    if (late > heldUp) timer = setTimeout(tooLong, Math.min(late, timeout_ms));
    else tooLong();
  };
  const onAbort = () => end(false, 'was called off');
  let timer = setTimeout(onTimeout, Math.min(timeout_ms, longestTimer));
  signal.addEventListener('abort', onAbort);
  try {
    if (signal.aborted) onAbort();
    else underway = begin(end);
  } catch (error) {
    // A header or a path that cannot be sent.
    end(false, `cannot be asked: ${errorMessage(error)}`);
  }
  if (hasEnded) underway?.close();
  return promise;
}

/** Why a connection failed, in a few words. */
export function connectionFailure(error: unknown): string {
  // Where a name has several addresses, each has its own reason; what was asked over a connection has that of it.
  const [first = error] = error instanceof AggregateError ? error.errors : [(error as Error).cause ?? error];
  const reasons: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'was refused: nobody listens there',
    ECONNRESET: 'failed: the connection was reset',
    EPIPE: 'failed: the connection was closed',
    ETIMEDOUT: 'failed: the host does not answer',
    ENOTFOUND: 'failed: the name of the host is not known',
    EHOSTUNREACH: 'failed: the host cannot be reached',
    ENETUNREACH: 'failed: the network cannot be reached',
  };
  return reasons[systemErrorCode(first)] ?? `failed: ${errorMessage(first)}`;
}

/** The beginning of a text, on one line. */
export function excerpt(text: string, most: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most)}…`;
}

/** A host as it stands in an address. */
export function inAddress(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
