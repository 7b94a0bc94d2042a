/**
 * Owns what a request's tests and check mean once every default has its value, before anybody runs them. Pure, and imports no package: whoever makes an
 * order and whoever checks a receipt come to the same.
 * Never looks at limits.
 */
import type { ExecutionRequest } from '../model/execution.ts';
import type { CheckProgram, ComparisonKind } from '../model/judging.ts';
import type { Encoding } from '../model/verdict.ts';
import { nameOf } from './course.ts';

/** One test with everything that it is run with. */
export interface ResolvedCase {
  readonly name: string;
  readonly stdin: string;
  readonly stdinEncoding: Encoding;
  readonly arguments: readonly string[];
  readonly expected: string | null;
  readonly expectedEncoding: Encoding;
  readonly group: string | null;
}

/** What `float` allows, unless the request says otherwise. */
export const TOLERANCE_DEFAULT = 1e-9;

/** The tests of a request, in its order. */
export function resolveCases({ tests = [], run }: Pick<ExecutionRequest, 'tests' | 'run'>): ResolvedCase[] {
  return tests.map((test, index) => ({
    name: nameOf(test, index),
    // With an input goes its encoding.
    stdin: test.stdin ?? run.stdin ?? '',
    stdinEncoding: (test.stdin === undefined ? run.stdinEncoding : test.stdinEncoding) ?? 'utf8',
    arguments: test.arguments ?? run.arguments ?? [],
    expected: test.expected ?? null,
    expectedEncoding: test.expectedEncoding ?? 'utf8',
    group: test.group ?? null,
  }));
}

/** How they are judged: without a word about it lines are compared. */
export function resolveCheck({
  check = { kind: 'lines' },
}: Pick<ExecutionRequest, 'check'>): CheckProgram | { readonly kind: ComparisonKind; readonly tolerance: number } {
  return 'run' in check ? check : { kind: check.kind, tolerance: check.tolerance ?? TOLERANCE_DEFAULT };
}
