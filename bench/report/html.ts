/**
 * Owns a recording as one HTML page that needs nothing else: no file, no font, no script, and a policy that forbids them.
 * Never prints what a recording says without escaping it. Invariant: the same recording is the same page, byte by byte.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Recording } from '../recording/recording.ts';
import { type Asked, toBoard, toContents } from './board.ts';
import { Markup, markup } from './markup.ts';
import { toSection } from './section.ts';

/** Nothing may be loaded or run; styles are in the page. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** Our own, and free of what would end its element; without its comments. */
function style(): Markup {
  const css = readFileSync(join(import.meta.dirname, 'page.css'), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  return new Markup(css.trim());
}

/** An id for each question, whatever it is called. */
function toAsked({ scenarios }: Recording): Asked[] {
  const taken = new Set<string>(['answers']);
  return scenarios.map((answered, at) => {
    const name = answered.name.replace(/[^a-zA-Z0-9]+/g, '-').replace(/^-|-$/g, '');
    const id = name === '' || taken.has(name) || !/^[a-zA-Z]/.test(name) ? `question-${at + 1}` : name;
    taken.add(id);
    return { id, answered };
  });
}

/** The whole page. */
export function recordingToHtml(recording: Recording): string {
  const asked = toAsked(recording);
  const page = markup`<html lang="en">
<head>
<meta charset="utf-8" />
<meta http-equiv="Content-Security-Policy" content="${POLICY}" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<title>Envicutor, measured at ${recording.commit}</title>
<style>
${style()}
</style>
</head>
<body>
${toContents(asked)}<main>
${toBoard(recording, asked)}${asked.map(({ id, answered }) => toSection(answered, id))}<footer><p>Drawn from a recording that keeps every sample. p50, p90 and p99 are percentiles by nearest rank: the value that so many of a hundred samples do not exceed. Within is where the true median lies in 95 of 100 such runs, where there are samples enough to say.</p></footer>
</main>
</body>
</html>
`;
  return `<!DOCTYPE html>\n${page}`;
}
