/**
 * Owns the receipt: what an agent says, signed by its own key, about one lease that it ended; and how it is written as one text.
 * Never says what really happened on the agent's machine. Invariants: closed and versioned, and nothing is added to a version but what may be
 * absent: receipts of an older agent are read by a newer coordinator, and by clients for years.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Timestamp } from './closed.ts';
import { ExecutionVerdict } from './judging.ts';
import { AllLimits } from './limits.ts';
import { Report, Usage, Verdict } from './verdict.ts';

const digest = (description: string) => Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description });

/** A receipt's text is at most so long; one of two scripts has less than a tenth of it. */
export const RECEIPT_CHARACTERS_MAX = 65_536;

/** What a verdict of an agent may be about. */
export const receiptEndings = ['compile', 'run', 'tests', 'check'] as const;

/** What is stated of one script: its Report, with digests where the output is, and the limits under which it ran. */
export const ScriptStatement = Closed({
  verdict: Verdict,
  exitCode: Report.properties.exitCode,
  signal: Report.properties.signal,
  exceeded: Report.properties.exceeded,
  start: Report.properties.start,
  limits: AllLimits,
  usage: Usage,
  stdout: digest('Of the bytes that the Report carries.'),
  stdoutTruncated: Type.Boolean(),
  stderr: digest('Of the bytes that the Report carries.'),
  stderrTruncated: Type.Boolean(),
  startedAt: Report.properties.startedAt,
  endedAt: Report.properties.endedAt,
  slot: Report.properties.slot,
});
export type ScriptStatement = Static<typeof ScriptStatement>;

/** What is stated of tests: limits, and what came of each as one digest. */
export const TestsStatement = Closed({
  results: digest('Of the canonical text of all results: shared/receipts/judged.ts.'),
  limits: AllLimits,
  check: Nullable(
    Closed({
      layers: Type.Array(digest("Of a layer's tar."), { maxItems: 64, description: 'Lowest first.' }),
      compile: Nullable(AllLimits),
      run: AllLimits,
    }),
  ),
});
export type TestsStatement = Static<typeof TestsStatement>;

/** The statement that is signed. */
export const ReceiptStatement = Closed({
  version: Type.Literal(1),
  execution: Type.String(),
  tenant: Type.String(),
  lease: Type.String(),
  fence: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  agent: Type.String(),
  acceptedAt: Timestamp,
  completedAt: Timestamp,
  request: digest('Of the canonical text of what was asked: shared/receipts/asked.ts.'),
  layers: Type.Array(digest("Of a layer's tar."), { maxItems: 64, description: 'Lowest first.' }),
  verdict: Nullable(ExecutionVerdict),
  endedIn: Nullable(OneOf(receiptEndings)),
  compile: Nullable(ScriptStatement),
  run: Nullable(ScriptStatement),
  tests: Type.Optional(TestsStatement),
  failure: Nullable(Type.String({ maxLength: 100, description: "Code of the agent's own failure." })),
});
export type ReceiptStatement = Static<typeof ReceiptStatement>;

/** A receipt as answers carry it. */
export const ReceiptText = Type.String({
  maxLength: RECEIPT_CHARACTERS_MAX,
  description:
    'What the agent states about this, signed by its key: `<payload>.<signature>`, each in base64url. They are the payload and the one Ed25519 signature of a DSSE envelope of type application/vnd.envicutor.receipt+json. Null: the agent is of a release that gives none, or no agent has ended this.',
});
