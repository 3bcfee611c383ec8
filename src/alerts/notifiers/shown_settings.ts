import { flatHeaders, type ShownNotifier } from '../../contract/notifiers.ts';
import type { NotifierDefinition } from './make_notifier.ts';

type ShownSettings = Omit<
  ShownNotifier,
  'origin' | 'waiting' | 'last_delivered_at' | 'last_error' | 'dropped'
>;

/** What of a notifier's settings is no secret, and which secrets it has. */
export function shownSettings(definition: NotifierDefinition): ShownSettings {
  const { name, type, services, severities, send_resolved, timeout, keep_trying } = definition;
  const common = { name, type, services: [...services], severities: [...severities], send_resolved };
  const shown = { ...common, timeout, keep_trying, secrets: secretsOf(definition) };
  if (definition.type === 'exec')
    return { ...shown, target: definition.command[0] ?? '', webhook: null, email: null };
  if (definition.type === 'email') {
    const { host, port, security, from, to } = definition;
    const email = { host, port, security, from, to: [...to] };
    return { ...shown, target: to.join(', '), webhook: null, email };
  }
  const { url, format, content_type } = definition;
  const target = url === undefined ? 'an address in a file' : new URL(url).origin;
  return { ...shown, target, webhook: { format, content_type }, email: null };
}

const isSecret = /^(url|secret|body|headers\..+|username|password)$/;

/**
 * Which secrets one has, by the names that `keep` has for them. Path and query of an address, what a template says and the
 * user name at a mail server may be the key of its receiver.
 */
export function secretsOf(definition: NotifierDefinition): string[] {
  if (definition.type === 'exec') return [];
  const fields =
    definition.type === 'email' ? definition : { ...definition, ...flatHeaders(definition.headers) };
  return Object.entries(fields).flatMap(([field, value]) => {
    const name = field.replace(/^(url|secret|password)_file$/, '$1');
    return value !== undefined && isSecret.test(name) ? name : [];
  });
}
