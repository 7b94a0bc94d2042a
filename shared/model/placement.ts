/**
 * Owns where an execution may run, as a client says it, and why it runs where it does, as it is answered.
 * Never chooses: that is coordinator/scheduler/placement.
 */
import { type Static, Type } from '@sinclair/typebox';
import { AgentUse } from './agent-use.ts';
import { Closed, Named, Nullable, OneOf, Timestamp } from './closed.ts';
import { architectures } from './manifest.ts';

/** Where an execution may run, and how long it may wait. */
export const PlacementRequest = Closed(
  {
    pool: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Only agents of this pool.' })),
    labels: Type.Optional(
      Named(Type.String({ maxLength: 128 }), {
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
  },
  { title: 'PlacementRequest', description: 'Where an execution may run, and how long it may wait.' },
);
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
const count = (description: string) => Type.Integer({ minimum: 0, description });
const AgentId = Type.String({ description: "An agent's id." });

const ConsideredAgent = Closed(
  {
    agent: AgentId,
    layersHeld: count('How many of the layers it had.'),
    load: Load,
    outcome: OneOf(considerations, { description: 'Why it was taken, or was not.' }),
  },
  { title: 'ConsideredAgent', description: 'An agent that was looked at.' },
);

/** Why an execution is where it is: `GET /v1/executions/:id/placement`. */
export const PlacementAnswer = Closed(
  {
    constraints: Closed(
      {
        architecture: Nullable(OneOf(architectures), { description: 'Null: any.' }),
        pool: Nullable(Type.String(), { description: 'Null: any that its tenant may use.' }),
        labels: Named(Type.String(), { description: 'All of these.' }),
        exclusiveCore: Type.Boolean({ description: 'Are slots with processors of their own asked for?' }),
      },
      { title: 'PlacementConstraints', description: 'What an agent must have.' },
    ),
    layers: Type.Integer({ minimum: 0, description: 'Layers that its environment has.' }),
    attempts: Type.Array(
      Closed(
        {
          agent: AgentUse,
          placedAt: Timestamp,
          considered: Type.Array(ConsideredAgent, {
            description: 'Agents that were looked at: a handful, however large the fleet is.',
          }),
        },
        { title: 'PlacementAttempt', description: 'One agent that got it.' },
      ),
      { description: 'Where it was placed, the newest last.' },
    ),
    waiting: Nullable(
      Closed(
        {
          forecastMs: Type.Number({
            description: 'How long its tenant would wait now, by what is known; milliseconds.',
          }),
          agents: Type.Array(
            Closed(
              {
                agent: AgentId,
                obstacles: Type.Array(OneOf(obstacles), { description: 'Why it can not take this now.' }),
              },
              { title: 'AgentObstacles', description: 'What an agent has against it.' },
            ),
            { description: 'Connected agents, not all of a large fleet.' },
          ),
          agentsNotShown: count('How many more there are.'),
        },
        { title: 'PlacementWaiting', description: 'Why it waits.' },
      ),
      { description: 'Null: it does not wait.' },
    ),
  },
  { title: 'Placement', description: 'Why an execution is where it is.' },
);
export type PlacementAnswer = Static<typeof PlacementAnswer>;
