import { flatHeaders, type NewNotifier, type ReplaceNotifier } from '../../contract/notifiers.ts';
import { DavitError } from '../../lib/errors.ts';
import { secretsOf } from './shown_settings.ts';

type Replacement<Type> = Extract<ReplaceNotifier, { readonly type: Type }>;

/**
 * What is sent in place of `present`, with those of its secrets that it is to keep.
 * Throws `invalid_request` for one that it does not have, or that would go to another receiver.
 */
export function withKept(sent: ReplaceNotifier, present: NewNotifier): NewNotifier {
  const { name } = present;
  const missing = sent.keep.find((each) => !secretsOf(present).includes(each));
  if (missing !== undefined) throw refusal(`names "${missing}", which notifier "${name}" does not have`);
  if (sent.type === 'email') {
    const { keep: _keep, ...rest } = sent;
    return { name, ...rest, ...keptLogin(sent, present) };
  }
  const { keep, url = '', ...rest } = sent;
  return { name, url, ...rest, ...keptOfWebhook(keep, sent.headers, present) };
}

/** The login goes to the server that has it already, and over no other way. */
function keptLogin(sent: Replacement<'email'>, present: NewNotifier): object {
  if (sent.keep.length === 0 || present.type !== 'email') return {};
  const changed = (['host', 'port', 'security'] as const).find((field) => sent[field] !== present[field]);
  if (changed !== undefined)
    throw refusal(`cannot hold where \`${changed}\` is another: send the user name and the password again`);
  return Object.fromEntries(sent.keep.map((name) => [name, present[name]]));
}

/** The contract sees to it that nothing is kept without the address. */
function keptOfWebhook(
  keep: readonly string[],
  headers: Readonly<Record<string, string>>,
  present: NewNotifier,
): object {
  if (present.type !== 'webhook') return {};
  const kept = (fields: object) => Object.entries(fields).filter(([name]) => keep.includes(name));
  const keptHeaders = kept(flatHeaders(present.headers)).map(([name, value]) => [
    name.slice('headers.'.length),
    value,
  ]);
  return {
    ...Object.fromEntries(kept(present)),
    headers: { ...Object.fromEntries(keptHeaders), ...headers },
  };
}

function refusal(problem: string): DavitError {
  return new DavitError('invalid_request', `keep in the body: ${problem}`, {
    details: [{ path: 'keep', message: problem }],
  });
}
