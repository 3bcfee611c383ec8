/** What stands for itself in a shell. */
const plainWord = /^[\w@%+=:,./-]+$/;

/** A command for the shell as a list that does the same. */
export function asList(text: string): readonly string[] {
  const words = text.trim().split(/\s+/);
  return words.every((word) => plainWord.test(word)) ? words : ['/bin/sh', '-c', text];
}

/** A list as a command for the shell that does the same. */
export function asText(list: readonly string[]): string {
  const [shell, flag, script] = list;
  if (list.length === 3 && shell === '/bin/sh' && flag === '-c' && script !== undefined) return script;
  return list.map((word) => (plainWord.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
