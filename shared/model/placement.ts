/**
 * Owns where an execution may run, as a client says it, and why it runs where it does, as it is answered.
 * Never chooses: that is coordinator/scheduler/placement.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf } from './closed.ts';
import { architectures } from './manifest.ts';

/** Where an execution may run, and how long it may wait. */
export const PlacementRequest = Closed({
  pool: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Only agents of this pool.' })),
  labels: Type.Optional(
    Type.Record(Type.String(), Type.String({ maxLength: 128 }), {
      maxProperties: 16,
      description: 'Only agents that have all of these labels.',
    }),
  ),
  architecture: Type.Optional(OneOf(architectures, { description: 'Only agents of this architecture.' })),
  exclusiveCore: Type.Optional(
    Type.Boolean({
      description: 'Only agents whose slots have processors of their own, which no other execution uses.',
    }),
  ),
  deadlineMs: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 86_400_000,
      description:
        'How long it may wait for an agent; what would wait longer is refused at once. At most what the operator allows; milliseconds.',
    }),
  ),
});
export type PlacementRequest = Static<typeof PlacementRequest>;

/** Why an agent that was looked at was taken, or was not. */
export const considerations = ['chosen', 'full', 'failed-before', 'refused', 'busier', 'fewer-layers'] as const;
export type Consideration = (typeof considerations)[number];

/** Why an agent can't take what waits. */
export const obstacles = [
  'architecture',
  'pool',
  'labels',
  'exclusive-core',
  'release',
  'draining',
  'resting',
  'silent',
  'full',
  'memory',
  'disk',
  'failed-before',
  'not-opted-in',
  'private',
  'policy',
  'hours',
  'share',
  'refused',
] as const;
export type Obstacle = (typeof obstacles)[number];

const Load = Type.Number({ minimum: 0, maximum: 1, description: 'Part of its slots that is taken.' });
const count = Type.Integer({ minimum: 0 });

/** Why an execution is where it is: `GET /v1/executions/:id/placement`. */
export const PlacementAnswer = Closed({
  constraints: Closed({
    architecture: Nullable(OneOf(architectures)),
    pool: Nullable(Type.String()),
    labels: Type.Record(Type.String(), Type.String()),
    exclusiveCore: Type.Boolean(),
  }),
  layers: Type.Integer({ minimum: 0, description: 'Layers that its environment has.' }),
  attempts: Type.Array(
    Closed({
      agent: Closed({ id: Type.String(), name: Type.String(), pool: Type.String() }),
      placedAt: Type.String(),
      considered: Type.Array(
        Closed({ agent: Type.String(), layersHeld: count, load: Load, outcome: OneOf(considerations) }),
        { description: 'Agents that were looked at: a handful, however large the fleet is.' },
      ),
    }),
    { description: 'Where it was placed, the newest last.' },
  ),
  waiting: Nullable(
    Closed({
      forecastMs: Type.Number({ description: 'How long its tenant would wait now, by what is known; milliseconds.' }),
      agents: Type.Array(Closed({ agent: Type.String(), obstacles: Type.Array(OneOf(obstacles)) })),
      agentsNotShown: count,
    }),
  ),
});
export type PlacementAnswer = Static<typeof PlacementAnswer>;
