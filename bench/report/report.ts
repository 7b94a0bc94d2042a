/**
 * Owns the command that draws a recording: which files it writes and where.
 * Never measures, and never writes over the recording that it reads.
 * Invariant: a file is written whole or not at all; a mistake is one sentence.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ExitCode } from '../exit-code.ts';
import { RecordingError, readRecording } from '../recording/recording.ts';
import { recordingToHtml } from './html.ts';
import { recordingToMarkdown } from './markdown.ts';

const beside = (path: string) => `${path.replace(/\.json$/, '')}.html`;

function write(path: string, content: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, content);
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new RecordingError(`can't write '${path}': ${String(error)}`);
  }
  process.stdout.write(`${path}\n`);
}

/** `bench report`: the page beside the recording unless another file is asked for; Markdown alone when only that is. */
export function reportCommand(args: readonly string[]): number {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { html: { type: 'string' }, markdown: { type: 'string' } },
    allowPositionals: true,
  });
  const [path, more] = positionals;
  if (path === undefined || more !== undefined)
    throw new RecordingError(`takes one recording, got ${positionals.length}`);
  const html = values.html ?? (values.markdown === undefined ? beside(path) : undefined);
  const files = [html, values.markdown].filter((file) => file !== undefined).map((file) => resolve(file));
  if (new Set([...files, resolve(path)]).size <= files.length)
    throw new RecordingError(`'${path}' and what is drawn from it can't be one file`);
  const recording = readRecording(path);
  if (html !== undefined) write(html, recordingToHtml(recording));
  if (values.markdown !== undefined) write(values.markdown, recordingToMarkdown(recording));
  return ExitCode.fine;
}
