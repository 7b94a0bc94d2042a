/**
 * Owns the texts whose digests say in a receipt how tests were to be judged and what came of each. Pure, and imports no package and nothing of Node:
 * agent, coordinator and the client library make the same texts.
 * Not in them: how many tests ran at a time, which makes no difference.
 */
import { type Canonical, canonicalJson } from '../canonical-json.ts';
import type { ComparisonKind } from '../model/judging.ts';
import type { ToldScript } from './statement.ts';

type Variables = Readonly<Record<string, string>>;

/** A file with the digest (`sha256:…`) of its content. */
export interface AskedFile {
  readonly path: string;
  readonly content: string;
  readonly executable: boolean;
}

/** Tests as they were asked for; `stdin` and `expected` are digests. */
export interface AskedTests {
  readonly cases: readonly {
    readonly name: string;
    readonly stdin: string;
    readonly arguments: readonly string[];
    readonly expected: string | null;
    readonly group: string | null;
  }[];
  readonly requires: Readonly<Record<string, readonly string[]>>;
  readonly stopAfterFailures: number;
  readonly check:
    | { readonly kind: ComparisonKind; readonly tolerance: number }
    | {
        readonly kind: 'program' | 'interactor';
        readonly files: readonly AskedFile[];
        readonly compile: { readonly script: string; readonly variables: Variables } | null;
        readonly run: { readonly script: string; readonly arguments: readonly string[]; readonly variables: Variables };
      };
}

/** Tests as part of what was asked for: see asked.ts. */
export function toAskedTests({ cases, requires, stopAfterFailures, check }: AskedTests): Canonical {
  return {
    cases: cases.map(({ name, stdin, arguments: args, expected, group }) => ({
      ...{ name, stdin, arguments: args, expected, group },
    })),
    requires: Object.fromEntries(Object.entries(requires)),
    stopAfterFailures,
    check:
      'run' in check
        ? {
            kind: check.kind,
            files: check.files.map(({ path, content, executable }) => ({ path, content, executable })),
            compile:
              check.compile === null ? null : { script: check.compile.script, variables: check.compile.variables },
            run: { script: check.run.script, arguments: check.run.arguments, variables: check.run.variables },
          }
        : { kind: check.kind, tolerance: String(check.tolerance) },
  };
}

/** What is told of one test, with digests of outputs. */
export interface ToldTest {
  readonly name: string;
  readonly outcome: string;
  readonly script: ToldScript | null;
  readonly check: { readonly message: string; readonly score: number; readonly script: ToldScript | null } | null;
}

/** What is told of all of them, and of the compile step of a check program. */
export interface ToldTests {
  readonly tests: readonly ToldTest[];
  readonly compile: ToldScript | null;
}

/** The canonical text of what is told. */
export function toJudgedText({ tests, compile }: ToldTests): string {
  return canonicalJson({
    tests: tests.map(({ name, outcome, script, check }) => ({
      ...{ name, outcome, script: toCanonical(script) },
      check:
        check === null
          ? null
          : { message: check.message, score: String(check.score), script: toCanonical(check.script) },
    })),
    compile: toCanonical(compile),
  });
}

/** Numbers as their own text: durations have fractions. */
function toCanonical(value: unknown): Canonical {
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.map(toCanonical);
  if (typeof value !== 'object' || value === null) return value as Canonical;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toCanonical(member)]));
}
