/**
 * Runs test files inside the guest and writes what becomes of each test as one JSON line: `node main.ts EVENTS DONE FILE...`.
 * DONE is a JSON list of the titles that an earlier boot has run. Never decides whether a run passed: test/guest/guest.ts reads the
 * lines on the host. Exit code 1: some test failed.
 */
import { openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { run } from 'node:test';
import { describeFailure } from '../../support/test-failure.ts';
import type { GuestEvent } from '../guest.ts';

const toLiteral = (title: string): string => title.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

const [events = '', done = '[]', ...files] = process.argv.slice(2);
const testSkipPatterns = (JSON.parse(done) as string[]).map((title) => new RegExp(`^${toLiteral(title)}$`));
// Opened once: to this kernel the file belongs to nobody as soon as it is there. Written at once: the kernel may be gone before the next line.
const file = openSync(events, 'a');
const tell = (event: GuestEvent): void => void writeSync(file, `${JSON.stringify(event)}\n`);
/** Name of a file as the host gave it. */
const toFile = (path: string | undefined): string => files.find((file) => resolve(file) === path) ?? '';
const isFile = (name: string): boolean => toFile(resolve(name)) !== '';

const stream = run({ files: files.map((file) => resolve(file)), concurrency: 1, testSkipPatterns });
stream.on('test:dequeue', ({ name, file }) => {
  if (!isFile(name)) tell({ kind: 'began', name, file: toFile(file) });
});
stream.on('test:pass', ({ name, file, skip, details }) => {
  const reason = skip === undefined ? null : String(skip);
  if (!isFile(name))
    tell({ kind: 'ended', name, file: toFile(file), failure: null, skip: reason, ms: details.duration_ms });
});
stream.on('test:fail', ({ name, file, details }) => {
  process.exitCode = 1;
  const failure = describeFailure(details.error);
  tell({ kind: 'ended', name, file: toFile(file), failure, skip: null, ms: details.duration_ms });
});
// What a file says beside its tests: the launcher's log, and its own last words.
stream.on('test:stderr', ({ message }) => process.stderr.write(message));
// A launcher that a failed test left behind holds nobody up.
stream.on('end', () => process.exit());
stream.resume();
