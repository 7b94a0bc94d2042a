/**
 * Owns what coordinators that share a store say to each other.
 *
 * Each dials every other one, and uses that link for its own demands on the other's agents; the other dials back for its own. `peer.hello` names the
 * dialler, `peer.challenge` proves that the other has the same instance key and asks for the same proof, `peer.proof` gives it, `peer.welcome`
 * ends the handshake; both say in it which optional parts of orders they understand, and are sent no others, so that coordinators of two releases work
 * together while they are replaced. `peer.leaving` says that the one who was dialled will soon be gone. The one who was dialled tells what room its
 * agents have (`peer.room`) whenever that has changed. The dialler lends it demands: `demand.submit` puts one into the other's queue with all that a run needs; what becomes of it comes back as `demand.placed`, `.started`,
 * `.fetching`, `.output`, `.tested`, `.requeued` and at last one of `.completed` (kept until `demand.kept`) or `.gave-up`. `demand.recall` asks
 * for one back that still waits, and is answered by `.withdrawn`, or not at all when it does not wait any more; `demand.withdraw` ends one.
 * `demand.command` and `demand.news` carry its terminal's two directions (shared/protocol/terminal-flow); a demand goes to
 * agents that understand what it needs, and a coordinator that does not know of a part has none.
 * After a broken link the dialler says by `demand.resume` which ones it still wants: of those the other repeats what it knows, or says
 * `demand.lost`; all others it ends. `site.record` has an execution recorded that an agent ran for its own site, by the one who answers for its tenant;
 * `site.recorded` says whether it is. `changed` says that something is to be read from the store again.
 */
import { Type } from '@sinclair/typebox';
import { Closed, Named, Nullable, OneOf } from '../../shared/model/closed.ts';
import { TestResult } from '../../shared/model/judging.ts';
import { AllLimits } from '../../shared/model/limits.ts';
import { Envelope } from '../../shared/model/manifest.ts';
import { considerations } from '../../shared/model/placement.ts';
import { Rerun } from '../../shared/model/timing-certificate.ts';
import { EndedExecution, LeaseResult } from '../../shared/protocol/agent-messages.ts';
import { createDecoder, type MessageOf } from '../../shared/protocol/catalog.ts';
import { LeaseOrder } from '../../shared/protocol/coordinator-messages.ts';
import { TerminalCommand, TerminalNews } from '../../shared/protocol/terminal-flow.ts';
import { Additions } from '../../shared/protocol/version.ts';

const count = Type.Integer({ minimum: 0 });
const milliseconds = Type.Number({ minimum: 0 });
const bytes = Type.Number({ minimum: 0 });
const Labels = Named(Type.String());
const demand = Type.String({ description: 'Of this link alone.' });

const Facts = Closed({
  id: Type.String(),
  name: Type.String(),
  pool: Type.String(),
  labels: Labels,
  architecture: Type.String(),
  release: Type.String(),
  kernel: Type.String(),
  cores: count,
  memoryBytes: bytes,
  exclusiveCores: Type.Boolean(),
});

const Considered = Closed({
  agentId: Type.String(),
  layersHeld: count,
  load: Type.Number(),
  outcome: OneOf(considerations),
});

/** Agents of a peer that are the same to every constraint. */
export const Room = Closed({
  architecture: Type.String(),
  pool: Type.String(),
  labels: Labels,
  exclusiveCores: Type.Boolean(),
  slots: count,
  free: count,
  understands: Type.Optional(Additions),
  memoryBytesMax: Nullable(Type.Number({ description: 'What the largest agent offers; null: any.' })),
  shared: Nullable(
    Closed(
      { slots: count, free: count },
      { description: "Of these, what tenants may have that are not the pool's owner; null: all." },
    ),
  ),
});

/** A connected agent, as operators see it. */
export const ConnectedAgent = Closed({
  facts: Facts,
  slots: count,
  freeSlots: count,
  layers: count,
  connectedAtMs: Type.Number(),
});

export const diallerMessages = {
  'peer.hello': Closed({ member: Type.String(), nonce: Type.String(), understands: Additions }),
  'peer.proof': Closed({ proof: Type.String() }),
  'demand.submit': Closed({
    demand,
    executionId: Type.String(),
    tenantId: Type.String(),
    weight: Type.Number({ exclusiveMinimum: 0 }),
    kind: Type.String(),
    durationMsMax: milliseconds,
    waitMsMax: milliseconds,
    memoryBytes: bytes,
    diskBytes: bytes,
    layers: Type.Array(Type.String()),
    constraints: Closed({
      key: Type.String(),
      architecture: Type.String(),
      pool: Nullable(Type.String()),
      labels: Labels,
      exclusiveCore: Type.Boolean(),
      needs: Type.Optional(Additions),
    }),
    site: Closed({
      isPrivate: Type.Boolean(),
      foreignPools: Type.Array(Type.String()),
      privatePools: Type.Array(Type.String()),
      layers: Type.Array(Closed({ scope: Type.String(), base: Type.String(), egress: Type.String() })),
      limits: Type.Array(AllLimits),
    }),
    order: LeaseOrder,
  }),
  'demand.recall': Closed({ demand }),
  'demand.withdraw': Closed({ demand }),
  'demand.command': Closed({ demand, command: TerminalCommand }),
  'demand.kept': Closed({ demand }),
  'demand.resume': Closed({ demands: Type.Array(Type.String()) }),
  changed: Closed({ what: OneOf(['shards', 'revocations', 'pins', 'environments', 'pools']) }),
  'trust.state': Closed({ trust: Envelope }),
  'agent.joined': Closed({ agentId: Type.String() }),
  'agent.drain': Closed({ agentId: Type.String(), isDraining: Type.Boolean() }),
  'fleet.ask': Closed({ question: Type.String() }),
  'site.record': Closed({
    question: Type.String(),
    agent: Closed({ id: Type.String(), name: Type.String(), pool: Type.String() }),
    execution: EndedExecution,
  }),
  'base.build': Closed({ question: Type.String(), base: Type.String() }),
} as const;

export const dialledMessages = {
  'peer.challenge': Closed({
    member: Type.String(),
    nonce: Type.String(),
    proof: Type.String(),
    understands: Additions,
  }),
  'peer.welcome': Closed({}),
  'peer.leaving': Closed({}),
  'peer.room': Closed({
    rooms: Type.Array(Room),
    charges: Type.Array(Closed({ tenantId: Type.String(), weight: Type.Number(), cost: Type.Number() }), {
      description: 'What tenants were charged here since it was last said; slot-milliseconds.',
    }),
  }),
  'demand.placed': Closed({ demand, agent: Facts, considered: Type.Array(Considered) }),
  'demand.started': Closed({ demand }),
  'demand.fetching': Closed({ demand, bytes: count, bytesTotal: count }),
  'demand.output': Closed({
    demand,
    script: OneOf(['compile', 'run']),
    stream: OneOf(['stdout', 'stderr']),
    data: Type.String(),
  }),
  'demand.tested': Closed({ demand, index: count, test: TestResult }),
  'demand.news': Closed({ demand, news: TerminalNews }),
  'demand.requeued': Closed({ demand, code: Type.String(), detail: Type.String() }),
  'demand.completed': Closed({
    demand,
    result: Closed({ ...LeaseResult.properties, rerun: Type.Optional(Rerun) }),
  }),
  'demand.gave-up': Closed({
    demand,
    code: Type.String(),
    detail: Type.String(),
    retryAfterSeconds: Nullable(Type.Number()),
  }),
  'demand.withdrawn': Closed({ demand }),
  'demand.lost': Closed({ demand }),
  'fleet.told': Closed({ question: Type.String(), agents: Type.Array(ConnectedAgent) }),
  'site.recorded': Closed({
    question: Type.String(),
    refusal: Nullable(Closed({ code: Type.String(), detail: Type.String() })),
  }),
  'base.built': Closed({ question: Type.String() }),
} as const;

export type DiallerMessage = MessageOf<typeof diallerMessages>;
export type DialledMessage = MessageOf<typeof dialledMessages>;
export const decodeDiallerMessage = createDecoder(diallerMessages);
export const decodeDialledMessage = createDecoder(dialledMessages);
