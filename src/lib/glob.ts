/**
 * Whether `text` is what `pattern` says: `*` stands for any run of characters, also none, and every other
 * character for itself. The whole text must match. It never backtracks.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const [first = '', ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return pattern === text;
  if (!text.startsWith(first)) return false;
  let position = first.length;
  // The earliest place for each part leaves the most room for those after it.
  for (const part of parts) {
    const found = text.indexOf(part, position);
    if (found === -1) return false;
    position = found + part.length;
  }
  return text.length - last.length >= position && text.endsWith(last);
}
