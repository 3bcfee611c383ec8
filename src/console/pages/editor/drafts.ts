/** What somebody had written and not deployed yet. */
export interface Draft {
  readonly id: string;
  readonly text: string;
}

/**
 * Drafts outlast a reload of the page in this tab, for who wrote them.
 * @param service null: one that is new
 */
export function draftsOf(actor: string, service: string | null) {
  const key = `davit.draft.${actor}.${service ?? ''}`;

  function read(): Draft | null {
    try {
      const { id, text } = JSON.parse(sessionStorage.getItem(key) ?? 'null');
      return typeof id === 'string' && typeof text === 'string' ? { id, text } : null;
    } catch {
      return null;
    }
  }

  /** null: there is none any more. */
  function write(draft: Draft | null): void {
    try {
      if (draft === null) sessionStorage.removeItem(key);
      else sessionStorage.setItem(key, JSON.stringify(draft));
    } catch {
      // Without a place to keep it, it lasts as long as the page.
    }
  }

  return { read, write };
}
