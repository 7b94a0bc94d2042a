/**
 * Owns tables for a terminal: columns as wide as what they hold, a head. Pure; never cuts a cell.
 */
import type { Paint } from './surroundings.ts';

/** The text of a table; cells hold no control characters. */
export function toColumns(head: readonly string[], rows: readonly (readonly string[])[], paint: Paint): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[paint('bold', line(head)), ...rows.map(line)].join('\n')}\n`;
}
