/**
 * Owns how a program is judged, as a client says it: tests, groups of them (subtasks), what is compared with what or which program decides; and
 * what came out of each test, as it is answered.
 * Never judges: that is shared/judging (what follows from what) and agent/judging (programs).
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Variables } from './closed.ts';
import { EnvironmentReference, EnvironmentRequest, EnvironmentUse, FILES_MAX, File, Script } from './environment.ts';
import { Limits } from './limits.ts';
import { Encoding, Report, verdicts } from './verdict.ts';

/** A bound on the tests of one execution. */
export const TESTS_MAX = 1000;
/** How many of them may run at a time. */
export const TESTS_AT_ONCE_MAX = 64;
/** Of each stream of a test's report at most so many bytes are told; `usage.outputBytes` says how many there were. */
export const TEST_OUTPUT_BYTES_MAX = 16 * 1024;
/** What a check says about a test is cut after so many characters. */
export const CHECK_MESSAGE_CHARACTERS_MAX = 4096;

/** An argument of a script; it holds no NUL. */
export const Argument = Type.String({ maxLength: 131_072, pattern: '^[^\\u0000]*$' });
const Arguments = Type.Array(Argument, { maxItems: 10_000 });
const Name = Type.String({ minLength: 1, maxLength: 128 });

/** One run of script 4 with an input of its own. */
export const TestCase = Closed({
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Default: its number, from 1.' })),
  stdin: Type.Optional(Type.String({ description: "Default: the run's." })),
  stdinEncoding: Type.Optional(Encoding),
  arguments: Type.Optional(Type.Array(Argument, { maxItems: 10_000, description: "Default: the run's." })),
  expected: Type.Optional(
    Type.String({ description: 'What its output is held against, or what a check program finds as the answer.' }),
  ),
  expectedEncoding: Type.Optional(Encoding),
  group: Type.Optional(Name),
  weight: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9, description: 'Points of a test; default 1.' })),
});
export type TestCase = Static<typeof TestCase>;

/** A subtask: its points are given when all of its tests are accepted and all that it requires are given. */
export const TestGroup = Closed({
  name: Name,
  points: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1e9, description: "Default: its tests' weights together." }),
  ),
  requires: Type.Optional(
    Type.Array(Name, { maxItems: TESTS_MAX, description: 'Groups without which its tests are skipped.' }),
  ),
});
export type TestGroup = Static<typeof TestGroup>;

/** How output is compared without a program. */
export const comparisonKinds = ['exact', 'lines', 'tokens', 'float'] as const;
export type ComparisonKind = (typeof comparisonKinds)[number];

/** A comparison of the output with what was expected: docs/judging.md has the rules. */
export const Comparison = Closed({
  kind: OneOf(comparisonKinds),
  tolerance: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1, description: 'For `float`: absolute or relative; default 1e-9.' }),
  ),
});

/** A program that decides, by testlib's convention. */
export const CheckProgram = Closed({
  kind: OneOf(['program', 'interactor']),
  environment: Type.Optional(Type.Union([EnvironmentReference, EnvironmentRequest])),
  files: Type.Optional(Type.Array(File, { maxItems: FILES_MAX })),
  compile: Type.Optional(
    Closed({ script: Script, variables: Type.Optional(Variables), limits: Type.Optional(Limits) }),
  ),
  run: Closed({
    script: Script,
    arguments: Type.Optional(Arguments),
    variables: Type.Optional(Variables),
    limits: Type.Optional(Limits),
  }),
});
export type CheckProgram = Static<typeof CheckProgram>;

/** Who decides whether a test is accepted. */
export const Check = Type.Union([Comparison, CheckProgram]);
export type Check = Static<typeof Check>;

/** What a judged execution may come to beside a program's own verdicts. */
export const judgements = ['accepted', 'wrong-answer', 'checker-failed'] as const;

/** The verdict about a whole execution. */
export const ExecutionVerdict = OneOf([...verdicts, ...judgements]);
export type ExecutionVerdict = Static<typeof ExecutionVerdict>;

/** What became of one test. */
export const testOutcomes = [...judgements, ...verdicts, 'skipped'] as const;
export type TestOutcome = (typeof testOutcomes)[number];

/** What the check said about one test. */
export const CheckResult = Closed({
  message: Type.String({ maxLength: CHECK_MESSAGE_CHARACTERS_MAX }),
  score: Type.Number({ minimum: 0, maximum: 1, description: 'Part of the points that the test is worth.' }),
  report: Nullable(Report),
});
export type CheckResult = Static<typeof CheckResult>;

/** One test, as it is answered; its report's output is cut to what is worth telling. */
export const TestResult = Closed({
  name: Type.String(),
  outcome: OneOf(testOutcomes),
  report: Nullable(Report),
  check: Nullable(CheckResult),
});
export type TestResult = Static<typeof TestResult>;

/** What was made for the check program; scripts as they ran for this request. */
export const CheckPreparation = Closed({
  environment: Nullable(EnvironmentUse),
  setup: Nullable(Report),
  dependencies: Nullable(Report),
  verify: Nullable(Report),
  compile: Nullable(Report),
});
export type CheckPreparation = Static<typeof CheckPreparation>;

/** Points of all tests together. */
export const Score = Closed({ points: Type.Number({ minimum: 0 }), of: Type.Number({ minimum: 0 }) });
export type Score = Static<typeof Score>;
