/**
 * Owns turning what a build writes into lines that can be read: without the commands for a terminal, and with a line that was written over as it was
 * last. Pure. Never decides what a browser makes of it: it is shown as text.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
const commands = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Without escape sequences, control characters and marks that turn the direction of writing; of a line that was written over, what stands last. */
export function toPlainText(text: string): string {
  const bare = text.replace(commands, '').replace(/\r\n/g, '\n').replace(controls, '');
  return bare.replace(/[^\n\r]*\r(?=[^\n])/g, '').replace(/\r/g, '');
}

/** The end of a text of at most so many characters, from the beginning of a line on where there is one. */
export function toTail(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const tail = text.slice(-charactersMax);
  const line = tail.indexOf('\n');
  return line < 0 ? tail : tail.slice(line + 1);
}
