/** How many points an answer may have, and how long the names of series in a question may be. */
const mostPoints = 20_000;
const longestList = 4_096;

/** The lists of series to ask for one after the other, so that each question and its answer keeps within what the agent allows. */
export function seriesLists(names: readonly string[], ids: readonly string[], points: number): string[] {
  const most = Math.max(1, Math.floor(mostPoints / points));
  const lists: { text: string; count: number }[] = [];
  for (const series of names.flatMap((name) => ids.map((id) => `${name}:${id}`))) {
    const list = lists.at(-1);
    if (list === undefined || list.count === most || list.text.length + series.length >= longestList) {
      lists.push({ text: series, count: 1 });
    } else {
      list.text += `,${series}`;
      list.count += 1;
    }
  }
  return lists.map(({ text }) => text);
}
