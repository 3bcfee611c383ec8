import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { ProbeOf } from '../contract/probe.ts';

type TlsSettings = NonNullable<ProbeOf<'http'>['tls']>;

/** What Node takes for a connection with TLS. */
export interface TlsOptions {
  readonly rejectUnauthorized: boolean;
  readonly servername: string;
  readonly ca?: string;
}

/** The largest file of authorities, in bytes. */
const largestFile = 1_000_000;

/** Reads the file of authorities anew, which may have been replaced. Throws when it cannot be read. */
export async function tlsOptions(
  { verify, server_name, ca_file }: TlsSettings,
  host: string,
): Promise<TlsOptions> {
  // An address is no name that a server could be asked for.
  const servername = server_name ?? (isIP(host) === 0 ? host : '');
  const authorities = verify && ca_file !== null ? { ca: await readAuthorities(ca_file) } : {};
  return { rejectUnauthorized: verify, servername, ...authorities };
}

/** A device or pipe at this path must not keep the agent waiting. */
async function readAuthorities(file: string): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || stat.size > largestFile)
      throw new Error(`${file} is not a file of at most ${largestFile} bytes`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
