/**
 * Owns the reading of the file in which scripts 1 and 2 leave variables for scripts 3 and 4: lines NAME=value.
 * Never expands or unquotes a value. A line that is none is left out and shown to the client in the build's log.
 */

/** The file in a layer, without a leading slash; the same as VARIABLES_FILE. */
export const VARIABLES_PATH = 'environment/.envicutor/variables';
/** A larger file makes no layer. */
export const VARIABLES_BYTES_MAX = 1024 * 1024;

const LINES_MAX = 1000;
const VALUE_CHARACTERS_MAX = 131_072;

/** What a file said, and the numbers of the lines that said nothing usable. */
export interface ScriptVariables {
  readonly variables: Record<string, string>;
  readonly ignoredLines: readonly number[];
}

/** Reads the file's bytes; the last line about a name wins. */
export function parseVariables(content: Uint8Array): ScriptVariables {
  const variables: Record<string, string> = {};
  const ignoredLines: number[] = [];
  const lines = Buffer.from(content).toString('latin1').split('\n');
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const text = decode(line);
    const match = text === null ? null : /^([A-Za-z_][A-Za-z0-9_]{0,255})=([^\0]*)$/s.exec(text);
    const [, name, value] = match ?? [];
    const isFull = Object.keys(variables).length >= LINES_MAX;
    // A record has that name already, and would not take it.
    const isUsable = name !== undefined && name !== '__proto__' && value !== undefined;
    if (!isUsable || value.length > VALUE_CHARACTERS_MAX || isFull) {
      ignoredLines.push(index + 1);
    } else {
      variables[name] = value;
    }
  }
  return { variables, ignoredLines };
}

function decode(line: string): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(line, 'latin1'));
  } catch {
    return null;
  }
}
