/**
 * Owns how a program is judged, as a client says it: tests, groups of them (subtasks), what is compared with what or which program decides; and
 * what came out of each test, as it is answered.
 * Never judges: that is shared/judging (what follows from what) and agent/judging (programs).
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Variables } from './closed.ts';
import { EnvironmentReference, EnvironmentRequest, EnvironmentUse, FILES_MAX, Script } from './environment.ts';
import { InputEncoding, InputFile } from './file.ts';
import { Limits } from './limits.ts';
import { Report, verdicts } from './verdict.ts';

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
const Arguments = Type.Array(Argument, { maxItems: 10_000, description: "The script's first arguments." });
const Name = Type.String({ minLength: 1, maxLength: 128, description: 'Unique among groups.' });

/** One run of script 4 with an input of its own. */
export const TestCase = Closed(
  {
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Default: its number, from 1.' })),
    stdin: Type.Optional(Type.String({ description: "Default: the run's." })),
    stdinEncoding: Type.Optional(InputEncoding),
    arguments: Type.Optional(Type.Array(Argument, { maxItems: 10_000, description: "Default: the run's." })),
    expected: Type.Optional(
      Type.String({ description: 'What its output is held against, or what a check program finds as the answer.' }),
    ),
    expectedEncoding: Type.Optional(InputEncoding),
    group: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'The subtask that it belongs to.' })),
    weight: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9, description: 'Points of a test; default 1.' })),
  },
  { title: 'TestCase', description: 'One run of the run script, with an input of its own.' },
);
export type TestCase = Static<typeof TestCase>;

/** A subtask: its points are given when all of its tests are accepted and all that it requires are given. */
export const TestGroup = Closed(
  {
    name: Name,
    points: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1e9, description: "Default: its tests' weights together." }),
    ),
    requires: Type.Optional(
      Type.Array(Name, { maxItems: TESTS_MAX, description: 'Groups without which its tests are skipped.' }),
    ),
  },
  { title: 'TestGroup', description: 'A subtask: points for all of its tests together.' },
);
export type TestGroup = Static<typeof TestGroup>;

/** How output is compared without a program. */
export const comparisonKinds = ['exact', 'lines', 'tokens', 'float'] as const;
export type ComparisonKind = (typeof comparisonKinds)[number];

/** A comparison of the output with what was expected: docs/judging.md has the rules. */
export const Comparison = Closed(
  {
    kind: OneOf(comparisonKinds, { description: 'By which rule.' }),
    tolerance: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: 'For `float`: absolute or relative; default 1e-9.' }),
    ),
  },
  { title: 'Comparison', description: 'How output is compared without a program; docs/judging.md has the rules.' },
);

/** A program that decides, by testlib's convention. */
export const CheckProgram = Closed(
  {
    kind: OneOf(['program', 'interactor'], { description: 'After the program, or in conversation with it.' }),
    environment: Type.Optional(
      Type.Union([EnvironmentReference, EnvironmentRequest], { description: "Default: the solution's." }),
    ),
    files: Type.Optional(Type.Array(InputFile, { maxItems: FILES_MAX, description: 'What its workspace holds.' })),
    compile: Type.Optional(
      Closed(
        { script: Script, variables: Type.Optional(Variables), limits: Type.Optional(Limits) },
        {
          title: 'CheckCompile',
          description: 'Makes the program; what it leaves is kept for executions after this one.',
        },
      ),
    ),
    run: Closed(
      {
        script: Script,
        arguments: Type.Optional(Arguments),
        variables: Type.Optional(Variables),
        limits: Type.Optional(Limits),
      },
      {
        title: 'CheckRun',
        description: 'Decides about one test; its last arguments are the paths of input, output and answer.',
      },
    ),
  },
  { title: 'CheckProgram', description: "A program that decides, by testlib's convention." },
);
export type CheckProgram = Static<typeof CheckProgram>;

/** Who decides whether a test is accepted. */
export const Check = Type.Union([Comparison, CheckProgram], {
  title: 'Check',
  description: 'Who decides whether a test is accepted; default: lines are compared.',
});
export type Check = Static<typeof Check>;

/** What a judged execution may come to beside a program's own verdicts. */
export const judgements = ['accepted', 'wrong-answer', 'checker-failed'] as const;

/** The verdict about a whole execution. */
export const ExecutionVerdict = OneOf([...verdicts, ...judgements], {
  title: 'ExecutionVerdict',
  description: 'What happened to the program, or to all of its tests.',
});
export type ExecutionVerdict = Static<typeof ExecutionVerdict>;

/** What became of one test. */
export const testOutcomes = [...judgements, ...verdicts, 'skipped'] as const;
export type TestOutcome = (typeof testOutcomes)[number];

/** What the check said about one test. */
export const CheckResult = Closed(
  {
    message: Type.String({ maxLength: CHECK_MESSAGE_CHARACTERS_MAX, description: 'For people.' }),
    score: Type.Number({ minimum: 0, maximum: 1, description: 'Part of the points that the test is worth.' }),
    report: Nullable(Report, { description: "The check program's own; null: there is none." }),
  },
  { title: 'CheckResult', description: 'What the check said about one test.' },
);
export type CheckResult = Static<typeof CheckResult>;

/** One test, as it is answered; its report's output is cut to what is worth telling. */
export const TestResult = Closed(
  {
    name: Type.String({ description: 'Its own, or its number from 1.' }),
    outcome: OneOf(testOutcomes, { title: 'TestOutcome', description: 'What became of a test.' }),
    report: Nullable(Report, {
      description: 'Of the program, with the beginning of its output; null: it did not run.',
    }),
    check: Nullable(CheckResult, { description: 'Null: nothing was checked.' }),
  },
  { title: 'TestResult', description: 'What became of one test.' },
);
export type TestResult = Static<typeof TestResult>;

/** What was made for the check program; scripts as they ran for this request. */
export const CheckPreparation = Closed(
  {
    environment: Nullable(EnvironmentUse, { description: "Null: it is the solution's." }),
    setup: Nullable(Report, { description: 'When it ran for this request.' }),
    dependencies: Nullable(Report, { description: 'When it ran for this request.' }),
    verify: Nullable(Report, { description: 'When it ran for this request.' }),
    compile: Nullable(Report, { description: 'Of its compile script, whenever that ran.' }),
  },
  { title: 'CheckPreparation', description: 'What was made for the check program.' },
);
export type CheckPreparation = Static<typeof CheckPreparation>;

/** Points of all tests together. */
export const Score = Closed(
  {
    points: Type.Number({ minimum: 0, description: 'Given.' }),
    of: Type.Number({ minimum: 0, description: 'That there are.' }),
  },
  { title: 'Score', description: 'Points of all tests together.' },
);
export type Score = Static<typeof Score>;
