import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The files of a certificate that signs itself. */
export interface CertificateFiles {
  readonly cert_file: string;
  readonly key_file: string;
}

/** Makes a certificate in a folder that is good for a day and for these names. */
export function makeCertificate(folder: string, file: string, names: readonly string[]): CertificateFiles {
  const [cert_file, key_file] = [join(folder, `${file}.pem`), join(folder, `${file}.key`)];
  const words = [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-keyout', key_file, '-out', cert_file, '-days', '1', '-subj', `/CN=${file}`],
    ...['-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`],
  ];
  const { status, stderr } = spawnSync('openssl', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl: ${stderr}`);
  return { cert_file, key_file };
}

export function certificateText({ cert_file }: CertificateFiles): string {
  return readFileSync(cert_file, 'utf8');
}
