import { rootCertificates } from 'node:tls';
import { readSmallFile } from '../lib/secret_file.ts';

/** The largest file of authorities, in bytes. */
const largestFile = 1_000_000;

/** Whom to believe: the usual authorities and those in a file, which is read anew; undefined: the usual ones alone. Throws where it cannot be read. */
export async function readAuthorities(file: string | undefined): Promise<string[] | undefined> {
  return file === undefined ? undefined : [...rootCertificates, await readSmallFile(file, largestFile)];
}
