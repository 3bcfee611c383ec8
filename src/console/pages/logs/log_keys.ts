import { onMounted, onUnmounted } from 'vue';

interface Actions {
  search(): void;
  togglePause(): void;
  newest(): void;
  /** To the line before, or after. */
  step(direction: -1 | 1): void;
  unfold(): void;
}

/** What keys do: some anywhere on the page, some while the lines have the focus. */
export function useLogKeys(lines: () => HTMLElement | null, actions: Actions): void {
  const anywhere: Readonly<Record<string, () => void>> = {
    '/': actions.search,
    p: actions.togglePause,
    g: actions.newest,
  };
  const inLines: Readonly<Record<string, () => void>> = {
    ' ': actions.togglePause,
    End: actions.newest,
    Enter: actions.unfold,
    ArrowUp: () => actions.step(-1),
    ArrowDown: () => actions.step(1),
  };

  function onKey(event: KeyboardEvent): void {
    const { target, key } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!(target instanceof HTMLElement) || target.closest('[aria-modal="true"]') !== null) return;
    const isTyped = target.closest(
      'input, textarea, select, [contenteditable], [role="menu"], [role="combobox"]',
    );
    const act = (target === lines() ? inLines[key] : undefined) ?? (isTyped ? undefined : anywhere[key]);
    if (act === undefined) return;
    event.preventDefault();
    act();
  }

  onMounted(() => document.addEventListener('keydown', onKey));
  onUnmounted(() => document.removeEventListener('keydown', onKey));
}
