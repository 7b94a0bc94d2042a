/**
 * Owns reading the commands of a document: its blocks of shell, in order, each with what it prints according to the block of text right behind it.
 * Never runs one.
 */

/** One block of commands. */
export interface DocumentCommand {
  readonly script: string;
  /** What the page says that it prints; null: the page does not say. */
  readonly output: string | null;
}

/** Every block of shell of a page. */
export function commandsOf(page: string): DocumentCommand[] {
  const blocks = [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$\n?/gm)];
  return blocks.flatMap((block, position) => {
    const [whole, language, script = ''] = block;
    if (language !== 'sh') return [];
    const next = blocks[position + 1];
    const between = next === undefined ? 'none' : page.slice(block.index + whole.length, next.index).trim();
    const isOutput = next?.[1] === 'text' && between === '';
    return [{ script, output: isOutput ? (next?.[2] ?? '') : null }];
  });
}

/** The same without figures that differ from run to run, and without what their widths do to a table. */
export function withoutFigures(text: string): string {
  return text
    .replaceAll(/\d+(\.\d+)? (s|ms|MiB)\b/g, '# $2')
    .split('\n')
    .map((line) => line.replaceAll(/ {2,}/g, '  ').trimEnd())
    .join('\n')
    .trimEnd();
}
