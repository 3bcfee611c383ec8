import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { unusable } from './file_access.ts';

/** How long a comparison may take, in milliseconds: nothing else is done meanwhile. */
const diffTimeout = 100;

/** One side of a comparison. */
export interface Side {
  readonly label: string;
  readonly text: string;
}

/** A unified diff, '' where nothing differs; null where it would take too long. */
export function unifiedDiff(from: Side, to: Side): string | null {
  if (from.text === to.text) return '';
  const options = { context: 3, timeout: diffTimeout, headerOptions: FILE_HEADERS_ONLY };
  return createTwoFilesPatch(from.label, to.label, from.text, to.text, '', '', options) ?? null;
}

/** A content as text. Throws `config_unusable` where it is none. */
export function textOf(content: Buffer, subject: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch (cause) {
    throw unusable(subject, 'it is no text in UTF-8', cause);
  }
}
