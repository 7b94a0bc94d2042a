/**
 * Owns putting a line before what a script does, below the line that names its interpreter if it has one. Pure; never looks at what the script says.
 */

/** The script with this line first. */
export function withPrelude(script: string, line: string): string {
  if (!script.startsWith('#!')) return `${line}\n${script}`;
  const end = script.indexOf('\n');
  return end === -1 ? `${script}\n${line}\n` : `${script.slice(0, end + 1)}${line}\n${script.slice(end + 1)}`;
}
