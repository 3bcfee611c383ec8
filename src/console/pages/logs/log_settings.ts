import { reactive, watch } from 'vue';

interface Settings {
  /** Whether long lines go on below, and are not cut off at the edge. */
  wrap: boolean;
  times: boolean;
}

const kept = 'davit.logs';

/** How this person wants logs to look; kept in this browser. */
const settings = reactive<Settings>({ wrap: true, times: true, ...read() });
watch(settings, (next) => {
  try {
    localStorage.setItem(kept, JSON.stringify(next));
  } catch {
    // Without a place to keep them they last as long as the page.
  }
});

export function useLogSettings(): Settings {
  return settings;
}

function read(): Partial<Settings> {
  try {
    const { wrap, times } = JSON.parse(localStorage.getItem(kept) ?? '{}');
    return { ...(typeof wrap === 'boolean' && { wrap }), ...(typeof times === 'boolean' && { times }) };
  } catch {
    return {};
  }
}
