import { DavitError, errorMessage, systemErrorCode } from '../lib/errors.ts';

/** How much of a name that a stranger chose is shown. */
const shownName = 200;

/** Says which entry of an archive may not be unpacked, and why. */
export function refuseEntry(name: string, reason: string): DavitError {
  const shown = name.length > shownName ? `${name.slice(0, shownName)}…` : name;
  return new DavitError('artifact_refused', `the archive holds ${JSON.stringify(shown)}, which ${reason}`, {
    fields: { entry: shown },
  });
}

/** Says why an archive as a whole is of no use. */
export function refuseArchive(reason: string, cause?: unknown): DavitError {
  return new DavitError('artifact_refused', `the archive ${reason}`, { cause });
}

/** What went wrong with the disk, in words for whoever uploads; everything else as it was. */
export function storageFailure(error: unknown, what: string): unknown {
  if (error instanceof DavitError) return error;
  const code = systemErrorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new DavitError('storage_unavailable', `${what}: the disk is full`, { cause: error });
  if (/^E[A-Z0-9]+$/.test(code) && code !== 'ERR')
    return new DavitError('storage_unavailable', `${what}: ${errorMessage(error)}`, { cause: error });
  return error;
}
