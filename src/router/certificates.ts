import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { RouterSettings } from '../contract/routing_table.ts';
import { errorMessage } from '../lib/errors.ts';

export type CertificateSettings = Pick<RouterSettings, 'certificates' | 'min_version'>;
type CertificateFiles = RouterSettings['certificates'][number];

/** A certificate that was read, with the names that it is good for. */
interface Certificate {
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
  /** In lower case; `*.example.org` stands for one label. */
  readonly names: readonly string[];
}

interface CertificatesOptions {
  /** Told of a file that is of no use; what was read before stays in use. */
  readonly onProblem: (message: string) => void;
  /** Told which certificate is for clients that ask for no name, or for one that no certificate has. */
  readonly onFirst: (options: SecureContextOptions) => void;
}

/** How often the files are looked at, in milliseconds. */
const watchInterval = 5_000;

/** The certificates by which the router proves who it is, chosen by the name that the client asks for. */
export class Certificates {
  readonly #onProblem: (message: string) => void;
  readonly #onFirst: (options: SecureContextOptions) => void;
  #settings: CertificateSettings = { certificates: [], min_version: 'TLSv1.2' };
  #known = new Map<string, Certificate>();
  #by_name = new Map<string, SecureContext>();
  /** What the files were when they were read, and at the last look. */
  #read_files = '';
  #seen_files = '';
  #timer: NodeJS.Timeout | undefined;

  constructor({ onProblem, onFirst }: CertificatesOptions) {
    this.#onProblem = onProblem;
    this.#onFirst = onFirst;
  }

  apply(settings: CertificateSettings): void {
    const is_same = JSON.stringify(settings) === JSON.stringify(this.#settings);
    this.#settings = settings;
    if (!is_same) this.#reload();
    this.#timer ??= setInterval(() => this.look(), watchInterval).unref();
  }

  /**
   * Reads the files again when they have changed and then rested from one look to the next: a certificate and its key are
   * replaced one after the other. Links are followed, as renewal tools change those.
   */
  look(): void {
    const now = fingerprint(this.#settings.certificates);
    const rests = now === this.#seen_files;
    this.#seen_files = now;
    if (rests && now !== this.#read_files) this.#reload();
  }

  #reload(): void {
    const { certificates, min_version } = this.#settings;
    this.#read_files = fingerprint(certificates);
    const read = new Map<string, Certificate>();
    for (const files of certificates) {
      const key = JSON.stringify([files.cert_file, files.key_file]);
      const certificate = this.#read(files, min_version) ?? this.#known.get(key);
      if (certificate !== undefined) read.set(key, certificate);
    }
    this.#known = read;
    this.#by_name = byName(read.values());
    const [first] = read.values();
    if (first !== undefined) this.#onFirst(first.options);
  }

  /** For the name that a client asks for. undefined: the first one is for it. */
  find(name: string): SecureContext | undefined {
    const plain = name.toLowerCase().replace(/\.$/, '');
    const above = plain.slice(plain.indexOf('.') + 1);
    return this.#by_name.get(plain) ?? this.#by_name.get(`*.${above}`);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #read(
    { cert_file, key_file }: CertificateFiles,
    minVersion: CertificateSettings['min_version'],
  ): Certificate | undefined {
    try {
      const cert = readFileSync(cert_file, 'utf8');
      const options = { cert, key: readFileSync(key_file, 'utf8'), minVersion };
      const context = createSecureContext(options);
      const parsed = new X509Certificate(cert);
      if (parsed.validToDate.getTime() <= Date.now())
        this.#onProblem(`The certificate ${cert_file} expired on ${parsed.validTo}.`);
      return { options, context, names: namesOf(parsed) };
    } catch (error) {
      const kept = 'The one before it, if there is any, stays in use.';
      this.#onProblem(
        `${cert_file} and ${key_file} are no certificate and its key: ${errorMessage(error)}. ${kept}`,
      );
      return undefined;
    }
  }
}

/** The first certificate that has a name is the one for it. */
function byName(certificates: Iterable<Certificate>): Map<string, SecureContext> {
  const found = new Map<string, SecureContext>();
  for (const { context, names } of certificates)
    for (const name of names) if (!found.has(name)) found.set(name, context);
  return found;
}

/** RFC 6125: the alternative names, and the common name only where there are none. */
function namesOf({ subjectAltName, subject }: X509Certificate): string[] {
  const alternatives = [...(subjectAltName ?? '').matchAll(/DNS:([^,\s"]+)/g)].map(([, name = '']) => name);
  const [, common] = /(?:^|\n)CN=(.+)/.exec(subject ?? '') ?? [];
  const names = alternatives.length > 0 || common === undefined ? alternatives : [common];
  return names.map((name) => name.toLowerCase());
}

function fingerprint(certificates: readonly CertificateFiles[]): string {
  const files = certificates.flatMap(({ cert_file, key_file }) => [cert_file, key_file]);
  const facts = files.map((file) => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat ? [file, stat.ino, stat.size, stat.mtimeMs] : [file];
  });
  return JSON.stringify(facts);
}
