/** What the agent says as part of a sentence, standing alone. What begins with a quoted name stays as it is. */
export function asSentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
