/**
 * Owns what a coordinator says to an agent.
 *
 * After `agent.hello` the coordinator sends `session.challenge`; after a good proof `session.welcome`, else `session.refused` and it closes.
 * `session.wanted` answers every `agent.report` whose leases differ from what the coordinator believes: a lease that is not listed is to be
 * ended without a result, so offers on their way are listed. `lease.offer` carries everything that a run needs; `lease.cancel` ends one.
 * `lease.acknowledged` lets the agent forget a result. `agent.drain` changes whether offers are to be expected. The trust state comes with the welcome and, whenever it changes or is
 * renewed, as `trust.state`: the agent refuses one that is older than it has seen, and uses no layer that it revokes. `layers.pinned` is the whole
 * list of what is never to go, said after the welcome and after every change; `layers.prefetch` asks for layers before they are needed.
 * `executions.recorded` answers `executions.ended`: what is recorded may be forgotten, what is refused is refused by name; what is in neither
 * list could not be recorded now. `lease.command` is about the terminal of a lease (terminal-flow). Optional parts are sent to agents only whose hello says that they understand them.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Variables } from '../model/closed.ts';
import { CollectPatterns } from '../model/collection.ts';
import { DigestText, FileIdText, InputEncoding, InputFile } from '../model/file.ts';
import { comparisonKinds, TESTS_AT_ONCE_MAX, TESTS_MAX } from '../model/judging.ts';
import { AllLimits } from '../model/limits.ts';
import { Envelope, LayerReference } from '../model/manifest.ts';
import { TRACEPARENT } from '../tracing/traceparent.ts';
import { createDecoder, type MessageOf } from './catalog.ts';
import { TerminalCommand, TerminalOrder } from './terminal-flow.ts';
import { Additions } from './version.ts';

const count = Type.Integer({ minimum: 0 });

const CompileOrder = Closed({ script: Type.String(), variables: Variables, limits: AllLimits });

/** How the tests of an order are judged; all defaults resolved. */
export const TestsOrder = Closed({
  cases: Type.Array(
    Closed({
      name: Type.String(),
      stdin: Type.String(),
      stdinEncoding: InputEncoding,
      arguments: Type.Array(Type.String()),
      expected: Nullable(Type.String()),
      expectedEncoding: InputEncoding,
      group: Nullable(Type.String()),
    }),
    { minItems: 1, maxItems: TESTS_MAX },
  ),
  requires: Type.Record(Type.String(), Type.Array(Type.String()), { description: 'Groups that groups need.' }),
  stopAfterFailures: count,
  atOnce: Type.Integer({ minimum: 1, maximum: TESTS_AT_ONCE_MAX }),
  check: Type.Union([
    Closed({ kind: OneOf(comparisonKinds), tolerance: Type.Number({ minimum: 0 }) }),
    Closed({
      kind: OneOf(['program', 'interactor']),
      layers: Type.Array(LayerReference, { minItems: 1 }),
      environment: Closed({ id: Type.String(), variables: Variables }),
      files: Type.Array(InputFile),
      compile: Nullable(CompileOrder),
      run: Closed({
        script: Type.String(),
        arguments: Type.Array(Type.String()),
        variables: Variables,
        limits: AllLimits,
      }),
    }),
  ]),
});
export type TestsOrder = Static<typeof TestsOrder>;
export type CheckOrder = Extract<TestsOrder['check'], { layers: unknown }>;

/** A file that an order names: what it must be, and where it is for a while. */
export const OrderInput = Closed({
  file: FileIdText,
  sha256: DigestText,
  bytes: count,
  url: Type.String({ description: 'The permission to fetch it, for a while.' }),
});
export type OrderInput = Static<typeof OrderInput>;

/** What an agent is to run: limits resolved, layers named lowest first. */
export const LeaseOrder = Closed({
  executionId: Type.String(),
  tenantId: Type.String(),
  layers: Type.Array(LayerReference, { minItems: 1 }),
  files: Type.Array(InputFile),
  compile: Nullable(CompileOrder),
  run: Closed({
    script: Type.String(),
    arguments: Type.Array(Type.String()),
    stdin: Type.String(),
    stdinEncoding: InputEncoding,
    variables: Variables,
    limits: AllLimits,
  }),
  isOutputStreamed: Type.Boolean(),
  tests: Type.Optional(TestsOrder),
  terminal: Type.Optional(TerminalOrder),
  inputs: Type.Optional(
    Type.Array(OrderInput, {
      description: 'Every file that the order names by its id; only to agents that understand it.',
    }),
  ),
  collect: Type.Optional(
    Closed(
      {
        patterns: CollectPatterns,
        bytesMax: count,
        filesMax: count,
        url: Type.String({ description: 'Where each file is put, with its path as ?path=; the permission to do so.' }),
      },
      { description: 'Files of the run that are sent before its result is told; only to agents that understand it.' },
    ),
  ),
  environment: Type.Optional(
    Closed(
      { id: Type.String(), variables: Variables },
      { description: 'What these layers are: an agent that serves its site finds them by it.' },
    ),
  ),
  trace: Type.Optional(
    Type.String({ pattern: TRACEPARENT, description: 'Where spans of this lease belong; W3C Trace Context.' }),
  ),
});

export const coordinatorMessages = {
  'session.challenge': Closed({ nonce: Type.String() }),
  'session.welcome': Closed({
    agentId: Type.String(),
    protocol: Type.Integer(),
    reportIntervalMs: count,
    leaseTtlMs: count,
    trust: Envelope,
    understands: Type.Optional(Additions),
  }),
  'session.refused': Closed({ code: Type.String(), reason: Type.String() }),
  'session.wanted': Closed({ leases: Type.Array(Type.String()) }),
  'lease.offer': Closed({ lease: Type.String(), fence: count, order: LeaseOrder }),
  'lease.cancel': Closed({ lease: Type.String() }),
  'lease.command': Closed({ lease: Type.String(), command: TerminalCommand }),
  'lease.acknowledged': Closed({ lease: Type.String() }),
  'executions.recorded': Closed({
    executions: Type.Array(Type.String()),
    refused: Type.Array(Closed({ executionId: Type.String(), code: Type.String(), detail: Type.String() })),
  }),
  'agent.drain': Closed({ state: OneOf(['drain', 'resume']) }),
  'trust.state': Closed({ trust: Envelope }),
  'layers.pinned': Closed({ digests: Type.Array(Type.String(), { description: 'Tar digests that are never to go.' }) }),
  'layers.prefetch': Closed({
    prefetch: Type.String({ description: 'What the agent calls it in layers.progress.' }),
    layers: Type.Array(LayerReference, { minItems: 1 }),
  }),
} as const;

export type CoordinatorMessage = MessageOf<typeof coordinatorMessages>;
export type LeaseOrderMessage = Extract<CoordinatorMessage, { type: 'lease.offer' }>['order'];
export const decodeCoordinatorMessage = createDecoder(coordinatorMessages);
