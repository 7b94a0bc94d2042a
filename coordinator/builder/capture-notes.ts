/**
 * Owns the sentences by which a build's log tells what the capture changed.
 */
import type { CapturedLayer } from './layer-capture.ts';

const NAMES_SHOWN = 10;

const sentences = {
  'setuid or setgid': 'setuid and setgid bits were removed from',
  'file capability': 'file capabilities were removed from',
  device: 'a layer holds no devices; left out:',
  fifo: 'a layer holds no named pipes; left out:',
  'fresh secret': "a layer holds no machine's own keys, make them where they are used; left out:",
} as const;

/** One line for each kind of change, and one for lines of $ENVICUTOR_ENV that say nothing usable. */
export function captureSentences({ notes, ignoredVariableLines }: CapturedLayer): string[] {
  const lines = [...notes].map(([what, paths]) => `envicutor: ${sentences[what]} ${shorten(paths.map(show))}\n`);
  if (ignoredVariableLines.length > 0) {
    const numbers = shorten(ignoredVariableLines.map(String));
    lines.push(`envicutor: $ENVICUTOR_ENV: not NAME=value, ignored: line ${numbers}\n`);
  }
  return lines;
}

const show = (path: string): string => `/${Buffer.from(path, 'latin1').toString('utf8')}`;

function shorten(items: readonly string[]): string {
  const more = items.length > NAMES_SHOWN ? ', …' : '';
  return `${items.slice(0, NAMES_SHOWN).join(', ')}${more}`;
}
