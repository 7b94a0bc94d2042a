/**
 * Owns the execution as a client asks for it and as it is answered; HTTP, state store and documentation derive from here.
 * Fields of the contract that this version does not serve yet are absent and therefore refused by name, never ignored.
 */
import { type Static, Type } from '@sinclair/typebox';
import { stages } from '../lifecycle/execution.ts';
import { Closed, Nullable, OneOf, Variables } from './closed.ts';
import { CollectedFile, CollectPatterns, UncollectedFile } from './collection.ts';
import { EnvironmentReference, EnvironmentRequest, EnvironmentUse, FILES_MAX, Script } from './environment.ts';
import { InputEncoding, InputFile } from './file.ts';
import {
  Argument,
  Check,
  CheckPreparation,
  ExecutionVerdict,
  Score,
  TESTS_AT_ONCE_MAX,
  TESTS_MAX,
  TestCase,
  TestGroup,
  TestResult,
} from './judging.ts';
import { Limits } from './limits.ts';
import { PlacementRequest } from './placement.ts';
import { ReceiptText } from './receipt.ts';
import { Report } from './verdict.ts';
import { WebhookRequest } from './webhook.ts';

/** Script 3. */
export const CompileRequest = Closed({
  script: Script,
  variables: Type.Optional(Variables),
  limits: Type.Optional(Limits),
});

/** Script 4. */
export const RunRequest = Closed({
  script: Script,
  arguments: Type.Optional(Type.Array(Argument, { maxItems: 10_000 })),
  stdin: Type.Optional(Type.String()),
  stdinEncoding: Type.Optional(InputEncoding),
  variables: Type.Optional(Variables),
  limits: Type.Optional(Limits),
  collect: Type.Optional(CollectPatterns),
});

/** Anything JSON; its size is bounded where it is read. */
export const Metadata = Type.Record(Type.String(), Type.Unknown());

/** What a client posts. */
export const ExecutionRequest = Closed({
  environment: Type.Union([EnvironmentReference, EnvironmentRequest]),
  files: Type.Optional(Type.Array(InputFile, { maxItems: FILES_MAX })),
  compile: Type.Optional(CompileRequest),
  run: RunRequest,
  interactive: Type.Optional(
    Type.Boolean({ description: 'The run script gets a terminal, served over `WS /v1/executions/:id/terminal`.' }),
  ),
  tests: Type.Optional(Type.Array(TestCase, { minItems: 1, maxItems: TESTS_MAX, description: 'Run once for each.' })),
  groups: Type.Optional(Type.Array(TestGroup, { minItems: 1, maxItems: TESTS_MAX })),
  check: Type.Optional(Check),
  stopAfterFailures: Type.Optional(
    Type.Integer({ minimum: 0, maximum: TESTS_MAX, description: 'Tests after so many failures are skipped; 0: none.' }),
  ),
  testsAtOnce: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: TESTS_AT_ONCE_MAX,
      description: 'Tests that may run at a time, on slots of one agent that nobody else needs; default 1.',
    }),
  ),
  placement: Type.Optional(PlacementRequest),
  metadata: Type.Optional(Metadata),
  webhook: Type.Optional(WebhookRequest),
});
export type ExecutionRequest = Static<typeof ExecutionRequest>;

/** How many executions one request may hold. */
export const BATCH_MAX = 1000;

/** Many at once, all or none. */
export const BatchRequest = Closed({
  executions: Type.Array(ExecutionRequest, { minItems: 1, maxItems: BATCH_MAX }),
});
export type BatchRequest = Static<typeof BatchRequest>;

/** What a batch is answered with: which executions its requests have become, in their order. */
export const BatchAnswer = Closed({ executions: Type.Array(Closed({ id: Type.String() })) });
export type BatchAnswer = Static<typeof BatchAnswer>;

/** Which script a verdict is about. */
export const endings = ['setup', 'dependencies', 'verify', 'compile', 'run', 'tests', 'check'] as const;
export type Ending = (typeof endings)[number];

const milliseconds = Type.Number({ minimum: 0 });

/** Where the time of an execution went; milliseconds. */
export const Timing = Closed({
  queuedMs: milliseconds,
  buildMs: milliseconds,
  fetchMs: milliseconds,
  prepareMs: milliseconds,
  executeMs: milliseconds,
  collectMs: milliseconds,
  overheadMs: milliseconds,
});
export type Timing = Static<typeof Timing>;

/** An execution as every answer shows it. */
export const Execution = Closed({
  id: Type.String(),
  stage: OneOf(stages),
  verdict: Nullable(ExecutionVerdict),
  endedIn: Nullable(OneOf(endings)),
  environment: Nullable(EnvironmentUse),
  setup: Nullable(Report),
  dependencies: Nullable(Report),
  verify: Nullable(Report),
  compile: Nullable(Report),
  run: Nullable(Report),
  tests: Type.Array(TestResult, { maxItems: TESTS_MAX }),
  check: Nullable(CheckPreparation),
  score: Nullable(Score),
  timing: Timing,
  certificate: Type.Null(),
  receipt: Nullable(ReceiptText),
  files: Type.Array(CollectedFile),
  uncollected: Type.Optional(Type.Array(UncollectedFile, { description: 'What matched and was not kept.' })),
  agent: Nullable(Closed({ id: Type.String(), name: Type.String(), pool: Type.String() })),
  attempts: Type.Integer({ minimum: 0 }),
  failure: Nullable(Closed({ code: Type.String(), detail: Type.String() })),
  metadata: Metadata,
  createdAt: Type.String(),
  finishedAt: Nullable(Type.String()),
});
export type Execution = Static<typeof Execution>;
