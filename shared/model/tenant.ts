/**
 * Owns what is said of a tenant beyond its name: its share, its quotas, what its keys may do. HTTP, the file of tenants and the state store
 * derive from here. Never holds a key.
 * Invariant: an absent quota is the operator's default, 0 is no bound.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Timestamp } from './closed.ts';

/** What a key may be used for; what a tenant may do bounds all of them. */
export const scopes = ['execute', 'environments', 'operate'] as const;
export const Scope = OneOf(scopes, {
  title: 'Scope',
  description:
    'execute: executions, their files, events and terminals. environments: declare, build, list. operate: keys, pools and agents of the own tenant; for an operator everything that is the operator’s.',
});
export type Scope = (typeof scopes)[number];

/** A tenant's id. */
export const TenantId = Type.String({ pattern: '^[0-9a-z][0-9a-z-]{0,63}$', description: 'The tenant.' });

const quota = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description }));

/** Bounds of one tenant; absent: the operator's default, 0: none. */
export const Quotas = Closed(
  {
    concurrencyMax: quota('Executions that run at once; more wait.'),
    queueDepthMax: quota('Executions that wait for an agent or an environment.'),
    executionsPerMinuteMax: quota('Executions that begin in one minute of the clock.'),
    buildSecondsMax: quota('Seconds that builds run in a UTC day.'),
    egressBytesMax: quota('Bytes that builds fetch in a UTC day.'),
    storedBytesMax: quota('Bytes of results, requests and own layers that are kept.'),
  },
  { title: 'Quotas', description: "Bounds of one tenant; absent: the operator's default, 0: none." },
);
export type Quotas = Static<typeof Quotas>;

/** How a request may name a pool: of plain characters, since code counts lengths in halves of others and a schema doesn't. */
export const NAMED_POOL = '^[ -~]{1,64}$';
const poolNames = (description: string) =>
  Type.Array(Type.String({ pattern: NAMED_POOL }), { maxItems: 1000, uniqueItems: true, description });
const AgentIds = Type.Array(Type.String({ pattern: '^agent_[0-9a-z]{8,64}$' }), {
  maxItems: 10_000,
  description: 'Agents that may record what they ran for it at their own sites.',
});

/** What an operator sets for a tenant. */
export const TenantSettings = Closed(
  {
    weight: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1000, description: 'Share in relation to others; default 1.' }),
    ),
    isOperator: Type.Optional(Type.Boolean({ description: 'May it operate this instance? Default: no.' })),
    quotas: Type.Optional(Quotas),
    foreignPools: Type.Optional(poolNames('Pools of other tenants in which its work may run, if their owners let it.')),
    privatePools: Type.Optional(poolNames('Pools besides its own in which its private environments may run.')),
    edgeAgents: Type.Optional(AgentIds),
  },
  { title: 'TenantSettings', description: 'What an operator sets for a tenant.' },
);
export type TenantSettings = Static<typeof TenantSettings>;

/** A key as it is listed: never the key itself. */
export const KeyDescription = Closed(
  {
    id: Type.String({ description: 'What it is revoked by.' }),
    name: Type.String({ description: 'For people.' }),
    scopes: Type.Array(Scope, { description: 'What it may be used for.' }),
    createdAt: Nullable(Timestamp, { description: 'Null: it stands in the tenants file.' }),
    expiresAt: Nullable(Timestamp, { description: 'Null: never.' }),
    lastUsedAt: Nullable(Timestamp, { description: 'Roughly: to some minutes; null: never, or in the tenants file.' }),
  },
  { title: 'Key', description: 'A key as it is listed: never the key itself.' },
);
export type KeyDescription = Static<typeof KeyDescription>;
