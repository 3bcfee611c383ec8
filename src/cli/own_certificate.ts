import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { PeerCertificate } from 'node:tls';

/** How a connection is proven to lead to the agent of this host. */
export interface OwnCertificateTrust {
  readonly ca: string;
  readonly allowPartialTrustChain: true;
  readonly checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
}

/**
 * Trust in the very certificate that the agent of this host says it shows, whoever signed it and whatever names it has:
 * its file is as good as the data directory that names it. null: it cannot be read, so what counts is what counts elsewhere.
 */
export function trustInOwn(file: string): OwnCertificateTrust | null {
  try {
    const certificate = new X509Certificate(readFileSync(file));
    return {
      ca: certificate.toString(),
      allowPartialTrustChain: true,
      checkServerIdentity: (_host, { fingerprint256 }) =>
        fingerprint256 === certificate.fingerprint256
          ? undefined
          : new Error(`it is not the certificate in ${file}`),
    };
  } catch {
    return null;
  }
}
