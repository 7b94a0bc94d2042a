/**
 * What a long test did: counts, seed, duration, appended to the file that ENVICUTOR_TEST_LEDGER names; test/run.ts prints it at its end.
 * Never read by a test. Without that variable nothing is written.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** The seed of this run: ENVICUTOR_TEST_SEED, so that what was seen can be had again, or a new one. */
export const testSeed: string = process.env['ENVICUTOR_TEST_SEED'] ?? String(Date.now());

/** Is there time for what is not for every day (`make test-deep`)? */
export const isDeep: boolean = process.env['ENVICUTOR_TEST_DEEP'] === '1';

/** How often a test shall do its thing: this variable, or what `make test` (or, deep, `make test-deep`) has time for. */
export function howMany(variable: string, ordinary: number, deep: number): number {
  const text = process.env[variable];
  if (text === undefined) return isDeep ? deep : ordinary;
  if (!/^\d+$/.test(text)) throw new Error(`${variable} is '${text}': give a number`);
  return Number(text);
}

/** Adds one line. */
export function noteInLedger(what: string, counts: Readonly<Record<string, number | string>>): void {
  const path = process.env['ENVICUTOR_TEST_LEDGER'];
  if (path === undefined) return;
  mkdirSync(dirname(path), { recursive: true });
  const figures = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  appendFileSync(path, `${what}: ${figures.join(', ')}\n`);
}
