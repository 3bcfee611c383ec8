/** Puts a text where it can be pasted from; throws where that is not allowed. */
export async function copyText(text: string): Promise<void> {
  // Without TLS there is no clipboard for pages, and only the old way is left.
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.setAttribute('aria-hidden', 'true');
  area.className = 'visually-hidden';
  const { activeElement } = document;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  if (activeElement instanceof HTMLElement) activeElement.focus();
  if (!isCopied) throw new Error('this browser does not let pages copy');
}
