/**
 * Owns what an agent says to a coordinator.
 *
 * The agent dials, says `agent.hello` and proves that it holds its key by answering the coordinator's challenge with `agent.proof`.
 * From then on it reports its *current* state (`agent.report`: slots, leases, layers) at the coordinator's interval and after every change
 * that matters; the coordinator answers with what it *wants*. A report that is lost is replaced by the next one. Results
 * (`lease.completed`) are kept by the agent and said again after a reconnect until `lease.acknowledged` names them. An offer is answered by
 * `lease.accepted` or `lease.refused`; an offer that is not answered is repeated by the coordinator or given to somebody else.
 * `lease.tested` tells of one test as soon as it is over, and may be lost: the result has all of them. `lease.fetching` and `layers.progress` tell how far a download is and may be lost; so may `layersUsed`, which makes a layer look older than it
 * is by one report. `layer.damaged` names a layer that was right once and is not any more: the agent has put it aside.
 * `lease.news` is what the terminal of a lease has to say (terminal-flow); it is said again over a new connection.
 * A result's `receipt` is what the agent signs of it; one that does not fit the lease and the result makes both worthless, and the lease is
 * given to somebody else. Its `certificate` says what was seen of the processors meanwhile, and is told to who understands `result.certificate`. So is a report's `cache`
 * to who understands `report.cache`, and outputs are `packed` for who understands `result.packed`. A result whose outputs are more than a message holds has them cut.
 *
 * An agent that serves its own site (docs/edge.md) says in its hello which optional parts it understands, and sends what the welcome says that the
 * coordinator understands: `executions.ended` tells what has ended at its site, again and again, until `executions.recorded` names it.
 */
import { type Static, Type } from '@sinclair/typebox';
import { AgentCounts } from '../model/agent-gauges.ts';
import { Closed, Named, Nullable, OneOf, Timestamp } from '../model/closed.ts';
import { COLLECTED_FILES_MAX, CollectedFile, UncollectedFile } from '../model/collection.ts';
import { EnvironmentUse, LayerUse } from '../model/environment.ts';
import { endings, Metadata, Timing } from '../model/execution.ts';
import { ExecutionVerdict, Score, TESTS_MAX, TestResult } from '../model/judging.ts';
import { architectures } from '../model/manifest.ts';
import { RECEIPT_CHARACTERS_MAX } from '../model/receipt.ts';
import { SandboxCounts } from '../model/sandbox-gauges.ts';
import { TimingCertificate } from '../model/timing-certificate.ts';
import { Report } from '../model/verdict.ts';
import { createDecoder, type MessageOf } from './catalog.ts';
import { TerminalNews } from './terminal-flow.ts';
import { Additions } from './version.ts';

const count = Type.Integer({ minimum: 0 });
/** More than any machine has use for. */
const SLOTS_MAX = 4096;

/** What an agent found out about one lease. */
export const LeaseResult = Closed({
  verdict: Nullable(ExecutionVerdict),
  endedIn: Nullable(OneOf(endings)),
  compile: Nullable(Report),
  run: Nullable(Report),
  tests: Type.Optional(Type.Array(TestResult, { maxItems: TESTS_MAX, description: "In the order's order." })),
  check: Type.Optional(
    Closed(
      { layers: Type.Array(LayerUse), compile: Nullable(Report) },
      { description: 'What was made for a check program.' },
    ),
  ),
  layers: Type.Array(LayerUse),
  timing: Closed({
    fetchMs: Timing.properties.fetchMs,
    prepareMs: Timing.properties.prepareMs,
    executeMs: Timing.properties.executeMs,
    collectMs: Timing.properties.collectMs,
    takeMs: Timing.properties.takeMs,
    mountMs: Timing.properties.mountMs,
    execMs: Timing.properties.execMs,
    agentMs: Timing.properties.agentMs,
  }),
  failure: Nullable(Closed({ code: Type.String(), detail: Type.String(), isRetryable: Type.Boolean() })),
  files: Type.Optional(
    Type.Array(CollectedFile, { maxItems: COLLECTED_FILES_MAX, description: 'What was left and has been sent.' }),
  ),
  uncollected: Type.Optional(Type.Array(UncollectedFile, { maxItems: COLLECTED_FILES_MAX + 1 })),
  receipt: Type.Optional(
    Type.String({ maxLength: RECEIPT_CHARACTERS_MAX, description: 'Of all of the above: shared/receipts/receipt.ts.' }),
  ),
  certificate: Type.Optional(TimingCertificate),
  packed: Type.Optional(
    Type.Array(
      Type.String({ pattern: '^/(compile|run|check/compile|tests/[0-9]{1,3}/(check/)?report)/std(out|err)$' }),
      {
        maxItems: 4 * TESTS_MAX + 6,
        description: 'Texts that are told as base64 of their UTF-8, by pointer: packed-outputs.ts.',
      },
    ),
  ),
});

/** An execution that an agent ran for its own site: what its tenant's list shows of it. Output is cut to what is worth telling. */
export const EndedExecution = Closed({
  executionId: Type.String({ pattern: '^exec_[0-9a-z]{8,64}$' }),
  tenantId: Type.String({ minLength: 1, maxLength: 64 }),
  stage: OneOf(['finished', 'cancelled', 'failed']),
  verdict: Nullable(ExecutionVerdict),
  endedIn: Nullable(OneOf(endings)),
  environment: Nullable(EnvironmentUse),
  compile: Nullable(Report),
  run: Nullable(Report),
  tests: Type.Optional(
    Type.Array(TestResult, {
      maxItems: TESTS_MAX,
      description: 'Without reports; told to who understands `order.tests`.',
    }),
  ),
  score: Type.Optional(Nullable(Score)),
  timing: Timing,
  failure: Nullable(Closed({ code: Type.String(), detail: Type.String() })),
  metadata: Metadata,
  createdAt: Timestamp,
  finishedAt: Timestamp,
});
export type EndedExecution = Static<typeof EndedExecution>;

/** How many of them one message tells. */
export const ENDED_EXECUTIONS_MAX = 20;

export const agentMessages = {
  'agent.hello': Closed({
    protocol: Type.Integer(),
    name: Type.String({ minLength: 1, maxLength: 128 }),
    publicKey: Type.String({ maxLength: 256, description: 'Ed25519, SPKI DER in base64.' }),
    agentId: Nullable(Type.String()),
    token: Nullable(Type.String({ description: 'One-time enrolment token, only while agentId is null.' })),
    release: Type.String(),
    architecture: OneOf(architectures),
    kernel: Type.String(),
    cores: Type.Integer({ minimum: 1 }),
    memoryBytes: count,
    pool: Type.String(),
    labels: Named(Type.String()),
    exclusiveCores: Type.Optional(
      Type.Boolean({ description: 'Every slot has processors of its own; absent: it has not.' }),
    ),
    understands: Type.Optional(Additions),
  }),
  'agent.proof': Closed({
    signature: Type.String({ maxLength: 256, description: 'Ed25519 over challengeText(nonce), base64.' }),
  }),
  'agent.report': Closed({
    slots: Closed({
      total: Type.Integer({
        minimum: 0,
        maximum: SLOTS_MAX,
        description: 'For leases: 0 while its site has all of them.',
      }),
      free: count,
    }),
    offer: Type.Optional(
      Closed({
        memoryBytes: Type.Integer({ minimum: 0, description: 'What all leases together may be promised.' }),
        diskBytes: Type.Integer({ minimum: 0, description: 'What layers may weigh here.' }),
      }),
    ),
    leases: Type.Array(Closed({ lease: Type.String(), fence: count })),
    layers: Type.Array(Type.String(), { description: 'Tar digests that are on this agent, ready.' }),
    draining: Type.Boolean(),
    sandbox: Type.Optional(SandboxCounts),
    cache: Type.Optional(AgentCounts),
    trustVersion: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Of the newest trust state that it has seen.' }),
    ),
    layersUsed: Type.Optional(
      Type.Array(Type.String(), { description: 'Tar digests that were used since the report before.' }),
    ),
  }),
  'lease.accepted': Closed({ lease: Type.String() }),
  'lease.refused': Closed({
    lease: Type.String(),
    reason: Type.String(),
    policy: Type.Optional(
      OneOf(['lasting', 'passing'], {
        description: "Said when the policy of the agent's owner refuses it: whenever it is asked, or for now.",
      }),
    ),
  }),
  'lease.stage': Closed({ lease: Type.String(), stage: OneOf(['preparing', 'running']) }),
  'lease.output': Closed({
    lease: Type.String(),
    script: OneOf(['compile', 'run']),
    stream: OneOf(['stdout', 'stderr']),
    data: Type.String({ description: 'base64' }),
  }),
  'lease.tested': Closed({ lease: Type.String(), index: count, test: TestResult }),
  'lease.news': Closed({ lease: Type.String(), news: TerminalNews }),
  'lease.fetching': Closed({ lease: Type.String(), bytes: count, bytesTotal: count }),
  'lease.completed': Closed({ lease: Type.String(), fence: count, result: LeaseResult }),
  'layers.progress': Closed({
    prefetch: Type.String(),
    bytes: count,
    bytesTotal: count,
    isDone: Type.Boolean(),
    failure: Nullable(Closed({ code: Type.String(), detail: Type.String() })),
  }),
  'executions.ended': Closed({
    executions: Type.Array(EndedExecution, { minItems: 1, maxItems: ENDED_EXECUTIONS_MAX }),
  }),
  'layer.damaged': Closed({ digest: Type.String(), detail: Type.String() }),
} as const;

export type AgentMessage = MessageOf<typeof agentMessages>;
export type LeaseResultMessage = Extract<AgentMessage, { type: 'lease.completed' }>['result'];
export const decodeAgentMessage = createDecoder(agentMessages);

/** The text that an agent signs to prove that it holds its key; no receipt begins like this, whatever the nonce (DSSE's texts begin with DSSEv1). */
export function challengeText(nonce: string): string {
  return `envicutor agent challenge v1 ${nonce}`;
}
