import { type ErrorCode, errorStatus } from '../contract/error_codes.ts';

/** How the command line ends; documented in `davit --help` and docs/cli.md. */
export const exitCode = {
  ok: 0,
  /** The agent was asked and it failed there, in whole or in part. */
  failed: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  unreachable: 5,
  conflict: 6,
  /** Only of `davit status SERVICE`. */
  notRunning: 7,
  interrupted: 130,
  /** Whoever read the output has gone, as with `| head`; what a program that dies of SIGPIPE leaves. */
  readerGone: 141,
  /** Told to end by SIGTERM. */
  terminated: 143,
} as const;

/** What can go wrong before an agent has answered. */
const localCodes: Readonly<Record<string, number>> = {
  usage: exitCode.usage,
  agent_unreachable: exitCode.unreachable,
  key_unreadable: exitCode.denied,
  context_not_found: exitCode.notFound,
};

/** The exit code for the `code` of an error, of the agent or our own. */
export function exitCodeOfError(code: string): number {
  return (
    localCodes[code] ??
    (code in errorStatus ? exitCodeOfStatus(errorStatus[code as ErrorCode]) : exitCode.failed)
  );
}

/** The exit code for an HTTP status. */
export function exitCodeOfStatus(status: number): number {
  if (status < 400) return exitCode.ok;
  switch (status) {
    case 400:
    case 413:
      return exitCode.usage;
    case 401:
    case 403:
      return exitCode.denied;
    case 404:
      return exitCode.notFound;
    case 409:
      return exitCode.conflict;
    default:
      return exitCode.failed;
  }
}
