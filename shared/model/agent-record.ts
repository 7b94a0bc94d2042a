/**
 * Owns an agent as operators and owners of pools see it. Never says what its work is: that is for whoever asks about an execution.
 * Invariant: what is only known while it is connected is null when it is not.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Named, Nullable, OneOf, Timestamp } from './closed.ts';

const text = (description: string) => Type.String({ description });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const unknown = { description: 'Null: it is not connected.' };

const Slots = Closed(
  { total: count('Executions that it runs at a time.'), free: count('Of them, free now.') },
  { title: 'AgentSlots', description: 'Places of an agent.' },
);

/** A machine that runs code. */
export const Agent = Closed(
  {
    id: text('`agent_…`'),
    name: text('As it calls itself.'),
    pool: text('Where it is.'),
    state: OneOf(['ready', 'draining', 'disconnected'], { description: 'Draining: it gets no new work.' }),
    slots: Slots,
    layers: count('Layers that it holds.'),
    architecture: Nullable(Type.String(), unknown),
    release: Nullable(Type.String(), unknown),
    kernel: Nullable(Type.String(), unknown),
    cores: Nullable(Type.Integer(), unknown),
    memoryBytes: Nullable(Type.Integer(), unknown),
    labels: Named(Type.String(), { description: "Its owner's words for it." }),
    enrolledAt: Timestamp,
    connectedAt: Nullable(Timestamp, unknown),
    heardAt: Nullable(Timestamp, { description: 'When it last reported; null: not to this coordinator.' }),
    receiptKey: Nullable(Type.String(), {
      description: 'Id of the key that signs its receipts; null: not known at this coordinator.',
    }),
  },
  { title: 'Agent', description: 'A machine that runs code.' },
);

export type Agent = Static<typeof Agent>;

/** Agents. */
export const AgentList = Closed(
  { items: Type.Array(Agent, { description: 'All that may be seen.' }) },
  { title: 'AgentList', description: 'Agents.' },
);
export type AgentList = Static<typeof AgentList>;
