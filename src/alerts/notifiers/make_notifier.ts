import type { NotifierConfig } from '../../config/alerts.ts';
import type { NewNotifier } from '../../contract/notifiers.ts';
import { readAuthorities } from '../../lib/authorities.ts';
import { readSecret } from '../../lib/secret_file.ts';
import { milliseconds } from '../../lib/units.ts';
import { Email } from './email.ts';
import { Exec, type RunExec } from './exec.ts';
import { formatOf } from './formats.ts';
import type { Notifier } from './notifier.ts';
import type { TargetGuard } from './target_guard.ts';
import { Webhook } from './webhook.ts';

/** A notifier as it is written down, in the configuration or by the API. */
export type NotifierDefinition = NotifierConfig | NewNotifier;

interface MakeOptions {
  readonly run: RunExec;
  /** null: it may lead anywhere, as those of the configuration file. */
  readonly guard: TargetGuard | null;
}

/** How long a try may take at least and at most, whatever is set, in milliseconds. */
const [shortestTimeout, longestTimeout] = [100, 600_000];

/** Nothing is read or connected by it: files of secrets are read at each try, and a missing one is told then. */
export function makeNotifier(definition: NotifierDefinition, { run, guard }: MakeOptions): Notifier {
  const { name } = definition;
  const timeout = Math.min(Math.max(milliseconds(definition.timeout), shortestTimeout), longestTimeout);
  if (definition.type === 'exec') return new Exec({ name, command: definition.command, timeout, run });
  const authorities = () => readAuthorities('ca_file' in definition ? definition.ca_file : undefined);
  const common = { name, timeout, guard, authorities };
  if (definition.type === 'email') {
    const { host, port, security, username = null, from, to } = definition;
    const own = 'password' in definition ? definition.password : undefined;
    const file = 'password_file' in definition ? definition.password_file : undefined;
    const password = () => secretOf(own, file);
    return new Email({ ...common, host, port, security, username, from, to, password });
  }
  const { url, headers } = definition;
  const urlFile = 'url_file' in definition ? definition.url_file : undefined;
  const own = 'secret' in definition ? definition.secret : undefined;
  const file = 'secret_file' in definition ? definition.secret_file : undefined;
  return new Webhook({
    ...common,
    url: async () => (await secretOf(url, urlFile)) ?? '',
    secret: () => secretOf(own, file),
    format: formatOf(definition),
    headers,
  });
}

async function secretOf(own: string | undefined, file: string | undefined): Promise<string | null> {
  if (own !== undefined) return own;
  return file === undefined ? null : readSecret(file);
}
