import { DavitError, errorMessage } from '../lib/errors.ts';
import type { AgentClient } from './client.ts';
import { isCertificateProblem } from './connection_failure.ts';
import { exitCode, exitCodeOfError } from './exit_codes.ts';
import type { Target } from './target.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

/** What is known of the command that failed. */
export interface Failed {
  readonly terminal: Terminal;
  readonly json: boolean;
  /** The agent that was asked; null: it failed before. */
  readonly client: AgentClient | null;
  /** The first argument, which for most commands is a service. */
  readonly argument: string;
}

/** Says what went wrong and what to do next, and returns the exit code. */
export function reportFailure(error: unknown, failed: Failed): number {
  const { terminal, json } = failed;
  if (!(error instanceof DavitError)) {
    terminal.note(`davit: internal error: ${safeText(errorMessage(error))}`);
    if (error instanceof Error) terminal.note(safeText(error.stack ?? '').replaceAll('\\n', '\n'));
    return exitCode.failed;
  }
  // Who ends a stream by Ctrl-C needs no words for that.
  if (error.message !== '') {
    if (json) terminal.json(errorDocument(error));
    else
      terminal.note(
        [`davit: ${safeText(error.message)}`, ...facts(error), ...advice(error, failed)].join('\n  '),
      );
  }
  const { exit_code } = error.fields;
  return typeof exit_code === 'number' ? exit_code : exitCodeOfError(error.code);
}

/** The error as an agent answers it, whether it came from one or not. */
function errorDocument({ message, code, details, fields }: DavitError): Record<string, unknown> {
  return { error: message, code, ...(details.length > 0 && { details }), ...fields };
}

/** What an answer tells beside its sentence. */
function facts({ details, fields }: DavitError): string[] {
  // The sentence tells the first of them.
  const lines = details.length > 1 ? details.map(({ path, message }) => safeText(`${path}: ${message}`)) : [];
  if (typeof fields['return_code'] === 'number') lines.push(`return code: ${fields['return_code']}`);
  const last = fields['last_lines'];
  if (Array.isArray(last) && last.length > 0) {
    lines.push('its last lines:', ...last.map((line) => `  ${safeText(String(line))}`));
  }
  const restored = fields['restored'] as { release?: unknown; pid?: unknown } | null | undefined;
  if (restored) lines.push(`release ${Number(restored.release)} goes on as pid ${Number(restored.pid)}`);
  return lines;
}

/** What to do next. */
function advice({ code, fields }: DavitError, { client, argument }: Failed): string[] {
  const target = client?.target;
  switch (code) {
    case 'agent_unreachable':
      return target ? whenUnreachable(target, String(fields['reason'])) : [];
    case 'unauthenticated':
      return target ? whenUnauthenticated(target) : [];
    case 'forbidden':
      return [
        ...keyUsed(target),
        'An administrator can make a key that may: davit key create NAME --scope SCOPE',
      ];
    case 'key_unreadable':
      return [
        'Run it as the user whose key it is, as with sudo, or use a key of your own:',
        '--key-file FILE or DAVIT_KEY_FILE. An administrator makes one: davit key create NAME',
      ];
    case 'service_not_found':
      return ['See which there are: davit status'];
    case 'release_not_found':
      return [`See which there are: davit releases ${safeText(argument)}`];
    case 'config_not_found':
      return [`See which there are: davit configs list ${safeText(argument)}`];
    case 'orphan_not_found':
      return ['See which there are: davit orphans'];
    case 'spawn_failed':
    case 'exited_early':
      return [`More of what it wrote: davit logs ${safeText(argument)}`];
    case 'state_conflict':
      return ['See what is: davit status'];
    case 'plan_outdated':
      return ['See what would be done now: davit plan. Do it whatever it is: --force'];
    case 'too_many_requests':
      return [`Try again in ${safeText(String(fields['retry_after'] ?? 'a few'))} seconds.`];
    case 'context_not_found':
      return ['See what there is: davit context list'];
    default:
      return [];
  }
}

function whenUnreachable({ origin, isLocal, url }: Target, reason: string): string[] {
  if (isCertificateProblem(reason)) {
    return ['A private authority is named with --ca-file FILE, a client certificate with --cert-file FILE.'];
  }
  if (reason === 'EPROTO' || reason === 'not_an_agent' || reason === 'HPE_INVALID_CONSTANT') {
    return [`Is the address right (it comes from ${safeText(origin)}), and is it http or https?`];
  }
  if (reason === 'timeout') return ['A greater limit: --timeout 20m'];
  if (isLocal) {
    return [
      'Is it running? See: systemctl status davit',
      'Start one here: davit agent. Name one elsewhere: --url, or davit context set',
    ];
  }
  return [`Is it running, and is ${safeText(url.host)} right? The address comes from ${safeText(origin)}.`];
}

function whenUnauthenticated(target: Target): string[] {
  if (target.key !== null) {
    return [
      ...keyUsed(target),
      'It may be revoked, expired, or a key of another agent. An administrator can see: davit key list',
    ];
  }
  const ways = ['No key was sent. Name one: --key-file FILE, DAVIT_KEY_FILE or DAVIT_KEY'];
  return target.isLocal
    ? [...ways, 'If another user runs the agent of this host, be that user, as with sudo.']
    : ways;
}

function keyUsed(target: Target | undefined): string[] {
  return target?.key ? [`The key used comes from ${safeText(target.key.origin)}.`] : [];
}
