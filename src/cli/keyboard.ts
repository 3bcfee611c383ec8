import { emitKeypressEvents, type Interface, type Key } from 'node:readline';

/** Milliseconds after which an escape character is the key Esc, and not the begin of what another key sends. */
const escapeTimeout = 50;

/**
 * Calls `listener` with the name of each key that is typed, until the returned function is called.
 * What a stream gives is taken apart by Node; it must be a terminal in raw mode.
 */
export function listenToKeys(input: NodeJS.ReadableStream, listener: (name: string) => void): () => void {
  // Of an interface, nothing else is looked at; a whole one would read lines and echo them.
  emitKeypressEvents(input, { escapeCodeTimeout: escapeTimeout } as unknown as Interface);
  const onKey = (_text: string | undefined, key: Key) => {
    const name = keyName(key);
    if (name !== '') listener(name);
  };
  input.on('keypress', onKey).resume();
  return () => {
    input.off('keypress', onKey).pause();
  };
}

/** What a key types (`g`, `G`, `/`, a space), or how it is called: `up`, `escape`, `ctrl+c`; '' where nobody knows. */
export function keyName({ name = '', sequence = '', ctrl, meta }: Key): string {
  if (name === 'escape') return name;
  if (!ctrl && !meta && /^\P{C}$/u.test(sequence)) return sequence;
  // Node calls what it cannot read so.
  if (name === 'undefined') return '';
  return name === '' ? '' : `${ctrl ? 'ctrl+' : ''}${meta ? 'meta+' : ''}${name}`;
}
