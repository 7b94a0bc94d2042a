/**
 * Owns the execution as a client asks for it and as it is answered; HTTP, state store and documentation derive from here.
 * Fields of the contract that this version does not serve yet are absent and therefore refused by name, never ignored.
 */
import { type Static, Type } from '@sinclair/typebox';
import { stages } from '../lifecycle/execution.ts';
import { AgentUse } from './agent-use.ts';
import { Closed, Named, Nullable, OneOf, Timestamp, Variables } from './closed.ts';
import { CollectedFile, CollectPatterns, UncollectedFile } from './collection.ts';
import { EnvironmentReference, EnvironmentRequest, EnvironmentUse, FILES_MAX, Script } from './environment.ts';
import { answeredExample, executionExamples } from './execution-examples.ts';
import { Failure } from './failure.ts';
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
import { Rerun, TimingCertificate } from './timing-certificate.ts';
import { Report } from './verdict.ts';
import { WebhookRequest } from './webhook.ts';

const text = (description: string) => Type.String({ description });

/** Script 3. */
export const CompileRequest = Closed(
  {
    script: Script,
    variables: Type.Optional(Variables),
    limits: Type.Optional(Limits),
  },
  {
    title: 'CompileRequest',
    description: 'Script 3: what it leaves in the workspace every run sees, and none changes.',
  },
);

/** Script 4. */
export const RunRequest = Closed(
  {
    script: Script,
    arguments: Type.Optional(Type.Array(Argument, { maxItems: 10_000, description: "The script's arguments." })),
    stdin: Type.Optional(text('What the script reads, as `stdinEncoding` says; default: nothing.')),
    stdinEncoding: Type.Optional(InputEncoding),
    variables: Type.Optional(Variables),
    limits: Type.Optional(Limits),
    collect: Type.Optional(CollectPatterns),
  },
  { title: 'RunRequest', description: 'Script 4: the program itself, without any network.' },
);

/** Anything JSON; its size is bounded where it is read. */
export const Metadata = Named(Type.Unknown(), {
  title: 'Metadata',
  description: 'Anything JSON of at most 4 KiB; returned as given.',
});

/** What a client posts. */
export const ExecutionRequest = Closed(
  {
    environment: Type.Union([EnvironmentReference, EnvironmentRequest], {
      description: 'An id, or a description that is built when nobody has built it before.',
    }),
    files: Type.Optional(Type.Array(InputFile, { maxItems: FILES_MAX, description: 'What the workspace holds.' })),
    compile: Type.Optional(CompileRequest),
    run: RunRequest,
    interactive: Type.Optional(
      Type.Boolean({ description: 'The run script gets a terminal, served over `WS /v1/executions/:id/terminal`.' }),
    ),
    tests: Type.Optional(
      Type.Array(TestCase, { minItems: 1, maxItems: TESTS_MAX, description: 'The run script runs once for each.' }),
    ),
    groups: Type.Optional(
      Type.Array(TestGroup, { minItems: 1, maxItems: TESTS_MAX, description: 'Subtasks that tests belong to.' }),
    ),
    check: Type.Optional(Check),
    stopAfterFailures: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: TESTS_MAX,
        description: 'Tests after so many failures are skipped; 0: none.',
      }),
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
  },
  {
    title: 'ExecutionRequest',
    description: 'Code and the scripts to run it by.',
    examples: executionExamples,
  },
);
export type ExecutionRequest = Static<typeof ExecutionRequest>;

/** How many executions one request may hold. */
export const BATCH_MAX = 1000;

/** Many at once, all or none. */
export const BatchRequest = Closed(
  { executions: Type.Array(ExecutionRequest, { minItems: 1, maxItems: BATCH_MAX, description: 'All or none.' }) },
  { title: 'BatchRequest', description: 'Many executions, accepted together.' },
);
export type BatchRequest = Static<typeof BatchRequest>;

/** What a batch is answered with: which executions its requests have become, in their order. */
export const BatchAnswer = Closed(
  {
    executions: Type.Array(Closed({ id: text('`exec_…`') }), { description: "In the request's order." }),
  },
  { title: 'BatchAnswer', description: 'Which executions the requests have become.' },
);
export type BatchAnswer = Static<typeof BatchAnswer>;

/** Which script a verdict is about. */
export const endings = ['setup', 'dependencies', 'verify', 'compile', 'run', 'tests', 'check'] as const;
export type Ending = (typeof endings)[number];

const milliseconds = (description: string) => Type.Number({ minimum: 0, description });

/** Where the time of an execution went; milliseconds. */
export const Timing = Closed(
  {
    queuedMs: milliseconds('Waiting for an agent.'),
    buildMs: milliseconds('Waiting for the environment to be built.'),
    fetchMs: milliseconds('Layers on their way to the agent.'),
    prepareMs: milliseconds('Files written, sandboxes prepared.'),
    executeMs: milliseconds('Compile and run scripts.'),
    collectMs: milliseconds('Reading what they left.'),
    overheadMs: milliseconds('Everything else between request and result.'),
    takeMs: Type.Optional(milliseconds('Of prepareMs: until a sandbox was there.')),
    mountMs: Type.Optional(milliseconds('Of prepareMs: layers mounted, files written.')),
    execMs: Type.Optional(milliseconds('Of prepareMs: from there to the successful exec.')),
    agentMs: Type.Optional(
      milliseconds('Of overheadMs: at the agent itself and its launcher; the rest is the way to the agent and back.'),
    ),
  },
  { title: 'Timing', description: 'Where the time of an execution went; milliseconds.' },
);
export type Timing = Static<typeof Timing>;

const Stage = OneOf(stages, {
  title: 'Stage',
  description:
    'Where an execution is. `finished`: there is a verdict. `failed`: by a fault of ours, never of the program.',
});

/** An execution as every answer shows it. */
export const Execution = Closed(
  {
    id: text('`exec_…`'),
    stage: Stage,
    verdict: Nullable(ExecutionVerdict, { description: 'Null: there is none yet, or never will be one.' }),
    endedIn: Nullable(OneOf(endings), { description: 'Which script the verdict is about.' }),
    environment: Nullable(EnvironmentUse, { description: 'Null: it is not built yet.' }),
    setup: Nullable(Report, { description: 'When it ran for this request.' }),
    dependencies: Nullable(Report, { description: 'When it ran for this request.' }),
    verify: Nullable(Report, { description: 'When it ran for this request.' }),
    compile: Nullable(Report, { description: 'Null: there was no compile script, or it has not ended.' }),
    run: Nullable(Report, { description: 'Null: it has not run, or not ended.' }),
    tests: Type.Array(TestResult, { maxItems: TESTS_MAX, description: "In the request's order." }),
    check: Nullable(CheckPreparation, { description: 'What was made for the check program; null: there is none.' }),
    score: Nullable(Score, { description: 'Null: there are no tests, or they go on.' }),
    timing: Timing,
    certificate: Nullable(TimingCertificate, {
      description:
        'Whether its times can be shown to be its own (docs/timing.md); null: nothing ran, or its agent says nothing.',
    }),
    rerun: Type.Optional(Rerun),
    receipt: Nullable(ReceiptText, { description: 'What the agent signed about this; docs/receipts.md.' }),
    files: Type.Array(CollectedFile, { description: 'What it left and was asked for by `collect`.' }),
    uncollected: Type.Optional(Type.Array(UncollectedFile, { description: 'What matched and was not kept.' })),
    agent: Nullable(AgentUse, { description: 'Who runs it or ran it.' }),
    attempts: Type.Integer({ minimum: 0, description: 'On how many agents it was tried.' }),
    failure: Nullable(Failure, { description: 'Our own fault: why its stage is `failed`.' }),
    metadata: Metadata,
    createdAt: Timestamp,
    finishedAt: Nullable(Timestamp, { description: 'Null: it goes on.' }),
  },
  { title: 'Execution', description: 'An execution as every answer shows it.', examples: [answeredExample] },
);
export type Execution = Static<typeof Execution>;
