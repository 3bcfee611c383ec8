import { onScopeDispose } from 'vue';

/** How long what happens at once is gathered, in milliseconds. */
const gathered = 300;

/** Calls that follow each other lead to one, as long as what has asked for them is shown. */
export function useGathered(act: () => Promise<void>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  onScopeDispose(() => clearTimeout(timer));
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      void act();
    }, gathered);
  };
}
