import { onMounted, onUnmounted, type Ref, ref } from 'vue';

/** What stays free below, in pixels, and the least share of the window that is filled. */
const below = 24;
const least = 0.72;

/** How wide an element is, and how high it has to be to reach the lower edge of the window. */
export function useViewerSize(element: Ref<HTMLElement | null>) {
  const width = ref(1_000);
  const height = ref(480);

  function fit(): void {
    if (element.value === null) return;
    const { top, width: now } = element.value.getBoundingClientRect();
    width.value = now;
    height.value = Math.round(Math.max(innerHeight - top - scrollY - below, innerHeight * least, 320));
  }

  const observer = new ResizeObserver(fit);
  onMounted(() => {
    fit();
    observer.observe(document.body);
    addEventListener('resize', fit);
  });
  onUnmounted(() => {
    observer.disconnect();
    removeEventListener('resize', fit);
  });
  return { width, height };
}
