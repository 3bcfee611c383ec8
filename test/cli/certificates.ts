import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files of an authority, of a server and of a client that it signed, all in one folder. */
export interface Certificates {
  readonly ca: string;
  readonly server: Pair;
  readonly client: Pair;
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** Makes certificates that are good for a day, the server's for 127.0.0.1. */
export function makeCertificates(folder: string): Certificates {
  const ca = { cert: join(folder, 'ca.pem'), key: join(folder, 'ca.key') };
  openssl('req', '-x509', ...newKey(ca.key), '-out', ca.cert, '-days', '1', '-subj', '/CN=authority');
  return { ca: ca.cert, server: signed(folder, ca, 'server'), client: signed(folder, ca, 'client') };
}

/** The contents of a pair, as a server takes it. */
export function contents({ cert, key }: Pair): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

function signed(folder: string, ca: Pair, name: string): Pair {
  const [cert, key, request, extensions] = ['pem', 'key', 'csr', 'ext'].map((end) =>
    join(folder, `${name}.${end}`),
  );
  if (!cert || !key || !request || !extensions) throw new Error('no paths');
  openssl('req', ...newKey(key), '-out', request, '-subj', `/CN=${name}`);
  writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1\n');
  const authority = ['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial'];
  openssl('x509', '-req', '-in', request, ...authority, '-out', cert, '-days', '1', '-extfile', extensions);
  return { cert, key };
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];
}

function openssl(...words: string[]): void {
  const run = spawnSync('openssl', words, { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`openssl ${words[0]}: ${run.error?.message ?? run.stderr}`);
}
