import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsSettings } from '../config/access.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { exposure, readKeyFile } from './key_file.ts';

/** A certificate that a server can use, and what is not well with it. */
interface Certificate {
  readonly options: SecureContextOptions;
  readonly warnings: readonly string[];
}

/** Reads the files that the settings name. Throws `invalid_request` that names the one that is of no use. */
export function readCertificate(tls: TlsSettings): Certificate {
  const { cert_file, key_file, client_ca_file, min_version } = tls;
  const cert = readKeyFile('tls.cert_file', cert_file);
  const options: SecureContextOptions = {
    cert,
    key: readKeyFile('tls.key_file', key_file),
    minVersion: min_version,
    ...(client_ca_file !== null && { ca: readAuthorities(client_ca_file) }),
  };
  try {
    createSecureContext(options);
  } catch (cause) {
    const message = `tls: ${cert_file} and ${key_file} are no certificate and its key: ${errorMessage(cause)}`;
    throw new DavitError('invalid_request', message, { cause });
  }
  const warnings = [expiry(cert_file, cert), exposure('tls.key_file', key_file)];
  return { options, warnings: warnings.filter((warning) => warning !== null) };
}

/**
 * Calls `onChange` when the files have changed and then rested for one interval: a certificate and its key are replaced
 * one after the other. Returns what ends it. Links are followed, as renewal tools change those.
 * @param interval in milliseconds
 */
export function watchCertificate(tls: TlsSettings, interval: number, onChange: () => void): () => void {
  const files = [tls.cert_file, tls.key_file, tls.client_ca_file].filter((file) => file !== null);
  let known = fingerprint(files);
  let seen = known;
  const timer = setInterval(() => {
    const now = fingerprint(files);
    const rests = now === seen;
    seen = now;
    if (!rests || now === known) return;
    known = now;
    onChange();
  }, interval).unref();
  return () => clearInterval(timer);
}

/** With a file that holds none, a server would accept the clients of every public authority. */
function readAuthorities(file: string): string {
  const text = readKeyFile('tls.client_ca_file', file);
  try {
    new X509Certificate(text);
    return text;
  } catch (cause) {
    throw new DavitError('invalid_request', `tls.client_ca_file: ${file} holds no certificate as PEM`, {
      cause,
    });
  }
}

function expiry(file: string, cert: string): string | null {
  const { validTo, validToDate } = new X509Certificate(cert);
  return validToDate.getTime() > Date.now() ? null : `tls.cert_file: ${file} expired on ${validTo}`;
}

function fingerprint(files: readonly string[]): string {
  const facts = files.map((file) => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat ? [stat.ino, stat.size, stat.mtimeMs] : [];
  });
  return JSON.stringify(facts);
}
