/**
 * Owns what a coordinator says to an agent.
 *
 * After `agent.hello` the coordinator sends `session.challenge`; after a good proof `session.welcome`, else `session.refused` and it closes.
 * `session.wanted` answers every `agent.report` whose leases differ from what the coordinator believes: a lease that is not listed is to be
 * ended without a result. `lease.offer` carries everything that a run needs; `lease.cancel` ends one. `lease.acknowledged` lets the agent forget
 * a result. `agent.drain` and `agent.resume` change whether offers are to be expected; `layers.prefetch` asks for layers before they are needed.
 */
import { Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Variables } from '../model/closed.ts';
import { File } from '../model/environment.ts';
import { AllLimits } from '../model/limits.ts';
import { LayerReference, TrustedKey } from '../model/manifest.ts';
import { Encoding } from '../model/verdict.ts';
import { createDecoder, type MessageOf } from './catalog.ts';

const count = Type.Integer({ minimum: 0 });

/** What an agent is to run: limits resolved, layers named lowest first. */
export const LeaseOrder = Closed({
  executionId: Type.String(),
  tenantId: Type.String(),
  layers: Type.Array(LayerReference, { minItems: 1 }),
  files: Type.Array(File),
  compile: Nullable(Closed({ script: Type.String(), variables: Variables, limits: AllLimits })),
  run: Closed({
    script: Type.String(),
    arguments: Type.Array(Type.String()),
    stdin: Type.String(),
    stdinEncoding: Encoding,
    variables: Variables,
    limits: AllLimits,
  }),
  isOutputStreamed: Type.Boolean(),
});

export const coordinatorMessages = {
  'session.challenge': Closed({ nonce: Type.String() }),
  'session.welcome': Closed({
    agentId: Type.String(),
    protocol: Type.Integer(),
    reportIntervalMs: count,
    leaseTtlMs: count,
    trustedKeys: Type.Array(TrustedKey),
  }),
  'session.refused': Closed({ code: Type.String(), reason: Type.String() }),
  'session.wanted': Closed({ leases: Type.Array(Type.String()) }),
  'lease.offer': Closed({ lease: Type.String(), fence: count, order: LeaseOrder }),
  'lease.cancel': Closed({ lease: Type.String() }),
  'lease.acknowledged': Closed({ lease: Type.String() }),
  'agent.drain': Closed({ state: OneOf(['drain', 'resume']) }),
  'layers.prefetch': Closed({ layers: Type.Array(LayerReference) }),
} as const;

export type CoordinatorMessage = MessageOf<typeof coordinatorMessages>;
export type LeaseOrderMessage = Extract<CoordinatorMessage, { type: 'lease.offer' }>['order'];
export const decodeCoordinatorMessage = createDecoder(coordinatorMessages);
