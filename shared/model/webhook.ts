/**
 * Owns what a client says about being told of an execution's end, what it is told, and what it sees of that. HTTP and documentation derive from here.
 * Never an address that may be reached: a schema says the form, the coordinator's rules say which.
 */
import { type Static, Type } from '@sinclair/typebox';
import { deliveryStates } from '../lifecycle/delivery.ts';
import { Closed, Nullable, OneOf, Timestamp } from './closed.ts';

/** What a client may be told of. An execution is finished when it is over, however: its stage says how. */
export const webhookEvents = ['finished'] as const;

const URL_CHARACTERS_MAX = 2048;

/** Where and of what a client wants to be told. */
export const WebhookRequest = Closed(
  {
    url: Type.String({ minLength: 1, maxLength: URL_CHARACTERS_MAX, description: 'Of a receiver; https.' }),
    events: Type.Optional(
      Type.Array(OneOf(webhookEvents), { minItems: 1, uniqueItems: true, description: 'Absent: `finished`.' }),
    ),
  },
  { title: 'WebhookRequest', description: 'Where and of what a client wants to be told.' },
);
export type WebhookRequest = Static<typeof WebhookRequest>;

const count = Type.Integer({ minimum: 0, description: 'So far.' });

/** A delivery as its tenant sees it; its id is the `webhook-id` of every attempt. */
export const DeliveryAnswer = Closed(
  {
    id: Type.String({ description: '`delivery_…`' }),
    execution: Type.String({ description: '`exec_…`' }),
    event: Type.Literal('execution.finished', { description: 'What is told.' }),
    url: Type.String({ description: 'Of the receiver.' }),
    state: OneOf(deliveryStates, { title: 'DeliveryState', description: 'Where it is; docs/lifecycles.md.' }),
    attempts: count,
    lastStatus: Nullable(Type.Integer(), {
      description: "HTTP status of the receiver's last answer; null without one.",
    }),
    lastError: Nullable(Type.String(), { description: 'Why the last attempt failed; null: it did not.' }),
    lastAttemptAt: Nullable(Timestamp, { description: 'Null: there was none yet.' }),
    nextAttemptAt: Nullable(Timestamp, { description: 'Null: it is over.' }),
    createdAt: Timestamp,
  },
  { title: 'Delivery', description: 'A delivery of a webhook; its id is the `webhook-id` of every attempt.' },
);
export type DeliveryAnswer = Static<typeof DeliveryAnswer>;

/** A tenant's secret as receivers need it. */
export const WebhookSecretAnswer = Closed(
  {
    secret: Type.String({ description: '`whsec_` and base64: what signatures are checked with.' }),
    generation: Type.Integer({ minimum: 1, description: 'Grows with each rotation.' }),
    rotatedAt: Nullable(Timestamp, { description: 'Null: never.' }),
    previousUntil: Nullable(Timestamp, { description: 'Until then the secret before this one signs as well.' }),
  },
  { title: 'WebhookSecret', description: "What receivers check a tenant's signatures with." },
);
export type WebhookSecretAnswer = Static<typeof WebhookSecretAnswer>;
