import { type Ref, shallowRef, watch } from 'vue';
import { type Find, type Range, textFinder } from './line_parts.ts';
import type { LogAddress } from './log_address.ts';

const nothing: Find = () => [];

/** Finds what is searched for as the agent does: with the same expressions, which take time linear in the text. */
export function useFind(address: Ref<LogAddress>): Ref<Find> {
  const find = shallowRef<Find>(nothing);
  watch(
    () => [address.value.search, address.value.regex, address.value.case],
    async ([search = '', regex, exact]) => {
      if (search === '' || regex !== '1') {
        find.value = search === '' ? nothing : textFinder(search, exact === '1');
        return;
      }
      const made = await expressionFinder(exact === '1' ? search : `(?i)${search}`);
      if (address.value.search === search && address.value.regex === '1') find.value = made;
    },
    { immediate: true },
  );
  return find;
}

async function expressionFinder(source: string): Promise<Find> {
  const { RE2JS } = await import('re2js');
  try {
    const expression = RE2JS.compile(source);
    return (text) => {
      const ranges: Range[] = [];
      for (const matcher = expression.matcher(text); matcher.find(); ) {
        if (matcher.end() > matcher.start()) ranges.push([matcher.start(), matcher.end()]);
      }
      return ranges;
    };
  } catch {
    // The agent says what is wrong with it.
    return nothing;
  }
}
