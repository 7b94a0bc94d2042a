/**
 * Owns a folder of tests: NAME.in with NAME.ans or NAME.out beside it, in the order in which people count. Never judges: the coordinator compares.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Check, TestCase } from '../../shared/model/judging.ts';
import type { EnvicutorClient } from '../typescript/envicutor-client.ts';
import { exitCodes } from './exit-codes.ts';
import { toInput } from './given-files.ts';
import { CommandError } from './surroundings.ts';

/** One test as it lies on this machine. */
export interface GivenTest {
  readonly name: string;
  readonly input: string;
  readonly answer: string;
}

const answerEndings = ['.ans', '.out'] as const;
const kinds = ['lines', 'exact', 'tokens', 'float'] as const;
const wrong = (sentence: string) => new CommandError(exitCodes.usage, sentence);

/** The tests of a folder, by name; numbers in names are counted. */
export function findTests(folder: string, given: string): GivenTest[] {
  let paths: string[];
  try {
    paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (cause) {
    throw wrong(`--test ${given} can't be read as a folder (${(cause as NodeJS.ErrnoException).code})`);
  }
  const names = paths.filter((path) => path.endsWith('.in')).map((path) => path.slice(0, -'.in'.length));
  if (names.length === 0) throw wrong(`--test ${given}: the folder holds no file that ends with .in`);
  const known = new Set(paths);
  const lacking = names.filter((name) => !answerEndings.some((ending) => known.has(name + ending)));
  if (lacking.length > 0)
    throw wrong(`--test ${given}: ${lacking.map((name) => `${name}.in has no ${name}.ans`).join('; ')}`);
  return names
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((name) => {
      const ending = answerEndings.find((each) => known.has(name + each)) ?? '.ans';
      return { name, input: join(folder, `${name}.in`), answer: join(folder, name + ending) };
    });
}

/** How outputs are compared. */
export function readComparison(text: string | null): Check {
  const [, word = 'lines', tolerance] = /^([a-z]+)(?:=(.+))?$/.exec(text ?? 'lines') ?? [];
  const kind = kinds.find((each) => each === word);
  const amount = Number(tolerance);
  if (kind === undefined || (tolerance !== undefined && (kind !== 'float' || !(amount >= 0 && amount <= 1))))
    throw wrong(`--compare is '${text}': give ${kinds.join(', ')}, or float=1e-6`);
  return tolerance === undefined ? { kind } : { kind, tolerance: amount };
}

/** The tests as a request takes them; what is large is sent before. */
export async function toTests(
  client: EnvicutorClient,
  tests: readonly GivenTest[],
  signal: AbortSignal,
): Promise<TestCase[]> {
  const cases: TestCase[] = [];
  for (const { name, input, answer } of tests) {
    const given = await toInput(client, readFileSync(input), signal);
    const wanted = await toInput(client, readFileSync(answer), signal);
    cases.push({
      name: name.slice(-128),
      stdin: given.stdin ?? '',
      ...(given.stdinEncoding === undefined ? {} : { stdinEncoding: given.stdinEncoding }),
      expected: wanted.stdin ?? '',
      ...(wanted.stdinEncoding === undefined ? {} : { expectedEncoding: wanted.stdinEncoding }),
    });
  }
  return cases;
}
