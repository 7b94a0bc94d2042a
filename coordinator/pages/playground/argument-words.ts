/**
 * Owns how a program's arguments are written in one line: words between spaces; quotes and backslashes as people know them from shells. Pure; never
 * expands anything. Invariant: what was written out is read as the same words again.
 */

const word = /'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])|([^\s'"\\]+)|(\s+)|([\s\S])/g;

/** The words of a line; an open quote is a character like any other. */
export function toWords(line: string): string[] {
  const words: string[] = [];
  let open: string | null = null;
  for (const [, plain, quoted, escaped, bare, space, other] of line.matchAll(word)) {
    if (space !== undefined) {
      if (open !== null) words.push(open);
      open = null;
    } else open = (open ?? '') + (plain ?? quoted?.replace(/\\([\s\S])/g, '$1') ?? escaped ?? bare ?? other ?? '');
  }
  return open === null ? words : [...words, open];
}

/** A line of these words. */
export function toLine(words: readonly string[]): string {
  const quote = (text: string) => (/^[^\s'"\\]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
  return words.map(quote).join(' ');
}
