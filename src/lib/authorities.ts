import { getCACertificates } from 'node:tls';
import { readSmallFile } from './secret_file.ts';

/** The largest file of authorities, in bytes: that of a whole system has a few hundred thousand. */
const largestFile = 4_194_304;

/** Whom to believe, as PEM: the usual authorities and, last, those in a file, which is read anew; undefined: the usual ones alone. Throws where it cannot be read. */
export async function readAuthorities(file: string | undefined): Promise<string[] | undefined> {
  return file === undefined
    ? undefined
    : [...getCACertificates('default'), await readSmallFile(file, largestFile)];
}
