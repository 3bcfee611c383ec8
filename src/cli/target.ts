import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { defaultDataDirectory } from '../lib/data_directory.ts';
import { DavitError, errorMessage, systemErrorCode } from '../lib/errors.ts';
import { type Context, contextFilePath, contextNamed, localContext, readContexts } from './context_file.ts';
import { isProcess, type LocalAgent, readLocalAgent } from './local_agent.ts';
import { type OwnCertificateTrust, trustInOwn } from './own_certificate.ts';
import type { Environment } from './terminal.ts';

/** The flags that say which agent is meant, and what opens it. */
export interface TargetFlags {
  readonly url?: string;
  readonly context?: string;
  readonly keyFile?: string;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly certKeyFile?: string;
  readonly data?: string;
}

/** A secret and how we came by it, which is what an error tells. */
interface Credential {
  readonly value: string;
  readonly origin: string;
}

/** Which agent is meant, and what opens it. */
export interface Target {
  readonly url: URL;
  /** Where the address comes from: `--url`, `DAVIT_URL`, `context prod`, or `the agent of this host`. */
  readonly origin: string;
  readonly isLocal: boolean;
  readonly key: Credential | null;
  /** PEM texts, and how the agent of this host is known. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } & Partial<
    Omit<OwnCertificateTrust, 'ca'>
  >;
}

/** An address before its key is known; `rank` tells how near to the command it was named. */
interface Place {
  readonly url: URL;
  readonly origin: string;
  readonly context: Context | null;
  readonly rank: 'flag' | 'environment' | 'file' | 'local';
}

const defaultUrl = 'http://127.0.0.1:8888';

/**
 * Finds out which agent is meant. `--url` or `--context` win over DAVIT_URL or DAVIT_CONTEXT, these over the current
 * context, and without any it is the agent of this host.
 *
 * @param superuser whether the caller is root, whose agent keeps its data in the system's place
 * @throws DavitError `usage`, `context_not_found`, `key_unreadable`
 */
export function resolveTarget(flags: TargetFlags, environment: Environment, superuser: boolean): Target {
  const folder = dataFolder(flags, environment, superuser);
  const local = readLocalAgent(folder);
  const place = choosePlace(flags, environment, local);
  const key = chooseKey(flags, environment, place, folder, local);
  return {
    url: place.url,
    origin: place.origin,
    isLocal: place.rank === 'local',
    key,
    tls: readTls(flags, environment, place, local),
  };
}

/** The data directory of the agent of this host. */
function dataFolder(flags: TargetFlags, environment: Environment, superuser: boolean): string {
  const named = flags.data ?? environment['DAVIT_DATA'];
  if (named) return resolve(named);
  return defaultDataDirectory(environment, superuser);
}

function choosePlace(flags: TargetFlags, environment: Environment, local: LocalAgent | null): Place {
  const url = environment['DAVIT_URL'] || undefined;
  const context = environment['DAVIT_CONTEXT'] || undefined;
  if (flags.url !== undefined && flags.context !== undefined) {
    throw new DavitError('usage', 'give --url or --context, not both');
  }
  if (flags.url !== undefined) return { ...place(flags.url, '--url'), rank: 'flag' };
  if (flags.context !== undefined) return contextPlace(flags.context, 'flag', environment, local);
  if (url !== undefined && context !== undefined) {
    throw new DavitError('usage', 'DAVIT_URL and DAVIT_CONTEXT are both set; unset one of them');
  }
  if (url !== undefined) return { ...place(url, 'DAVIT_URL'), rank: 'environment' };
  if (context !== undefined) return contextPlace(context, 'environment', environment, local);
  const { current } = readContexts(contextFilePath(environment));
  return contextPlace(current ?? localContext, 'file', environment, local);
}

function contextPlace(
  name: string,
  rank: 'flag' | 'environment' | 'file',
  environment: Environment,
  local: LocalAgent | null,
): Place {
  if (name === localContext) {
    return { ...place(local?.url ?? defaultUrl, 'the agent of this host'), rank: 'local' };
  }
  const context = contextNamed(name, readContexts(contextFilePath(environment)));
  return { ...place(context.url, `context ${name}`), context, rank };
}

function place(text: string, origin: string): Omit<Place, 'rank'> {
  return { url: agentUrl(text, origin), origin, context: null };
}

/**
 * The address of an agent. Throws `usage` when it is not one.
 * @param origin where it comes from, for the sentence
 */
export function agentUrl(text: string, origin: string): URL {
  const url = /^https?:\/\//i.test(text) ? URL.parse(text) : null;
  if (url === null) {
    throw new DavitError(
      'usage',
      `${origin}: "${text}" is not an address such as https://deploy.example.com:8888`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new DavitError(
      'usage',
      `${origin}: a key never stands in an address; give it by --key-file or DAVIT_KEY`,
    );
  }
  if (url.search !== '' || url.hash !== '') {
    throw new DavitError('usage', `${origin}: "${text}" must end with its host, its port or a path`);
  }
  return url;
}

/** Whether the address is of this host, so that what is sent there crosses no network. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** The nearest key wins: a flag, then the context that a flag names, then the environment, then another context's. */
function chooseKey(
  flags: TargetFlags,
  environment: Environment,
  place: Place,
  folder: string,
  local: LocalAgent | null,
): Credential | null {
  if (flags.keyFile !== undefined) return readKey(flags.keyFile, '--key-file');
  const ofContext = () => contextKey(place);
  return (
    (place.rank === 'flag' ? ofContext() : null) ??
    environmentKey(environment) ??
    ofContext() ??
    localKey(place, folder, local)
  );
}

function environmentKey(environment: Environment): Credential | null {
  const value = environment['DAVIT_KEY'];
  if (value) return { value: checkedKey(value, 'DAVIT_KEY'), origin: 'DAVIT_KEY' };
  const path = environment['DAVIT_KEY_FILE'];
  return path ? readKey(path, 'DAVIT_KEY_FILE') : null;
}

function contextKey({ context, origin }: Place): Credential | null {
  if (context?.key !== undefined) return { value: checkedKey(context.key, origin), origin };
  return context?.key_file === undefined ? null : readKey(context.key_file, origin);
}

/**
 * The admin key of this host, for its own agent only: the address must be the one that the agent itself wrote down,
 * and that agent must be alive, for else whoever took its port would be given the key.
 */
function localKey(place: Place, folder: string, local: LocalAgent | null): Credential | null {
  if (local === null || !isProcess(local.pid)) {
    if (local === null && place.rank === 'local') refuseUnreadable(folder);
    return null;
  }
  if (place.context !== null || new URL(local.url).origin !== place.url.origin) return null;
  return readKey(join(folder, 'admin.key'), 'the key of this host');
}

/** Throws `key_unreadable` when there is a data directory that is not for the caller's eyes. */
function refuseUnreadable(folder: string): void {
  try {
    readFileSync(join(folder, 'agent.json'));
  } catch (error) {
    if (isDenied(error)) throw unreadable(join(folder, 'admin.key'), 'the key of this host', error);
  }
}

function readKey(path: string, origin: string): Credential {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, origin, cause);
  }
  return { value: checkedKey(text.trim(), `${path} (${origin})`), origin: `${path} (${origin})` };
}

function unreadable(path: string, origin: string, cause: unknown): DavitError {
  const reason = isDenied(cause) ? 'permission denied' : errorMessage(cause);
  const message = `the key in ${path} (${origin}) cannot be read: ${reason}`;
  return new DavitError('key_unreadable', message, { cause });
}

function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(systemErrorCode(error));
}

/** A key as it can stand in a header. Never shows the key itself. */
function checkedKey(value: string, origin: string): string {
  if (/^[\x21-\x7e]{1,8192}$/.test(value)) return value;
  throw new DavitError('usage', `${origin} does not hold a key: it must be one line without spaces`);
}

/** By which certificate the agent of this host is known, where nobody says whom to believe. */
function ownTrust(place: Place, local: LocalAgent | null): OwnCertificateTrust | null {
  return place.rank === 'local' && local?.cert_file !== undefined ? trustInOwn(local.cert_file) : null;
}

function readTls(
  flags: TargetFlags,
  environment: Environment,
  place: Place,
  local: LocalAgent | null,
): Target['tls'] {
  const { context } = place;
  const paths = {
    ca: flags.caFile ?? context?.ca_file ?? environment['DAVIT_CA_FILE'],
    cert: flags.certFile ?? context?.cert_file ?? environment['DAVIT_CERT_FILE'],
    key: flags.certKeyFile ?? context?.cert_key_file ?? environment['DAVIT_CERT_KEY_FILE'],
  };
  if ((paths.cert === undefined) !== (paths.key === undefined)) {
    throw new DavitError('usage', 'a client certificate needs both --cert-file and --cert-key-file');
  }
  const texts = Object.entries(paths).flatMap(([name, path]) => (path ? [[name, readPem(path)]] : []));
  return { ...(paths.ca ? null : ownTrust(place, local)), ...Object.fromEntries(texts) };
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DavitError('usage', `the certificate file cannot be read: ${errorMessage(cause)}`, { cause });
  }
}
