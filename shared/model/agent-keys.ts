/**
 * Owns the list of agents' keys: whose key is whose, as the verifier signs it and everybody may read it.
 * Never holds a private key, and never forgets an agent: what it signed once is to be read for years.
 * Invariant: of two lists the one with the higher version is right; of one version all say the same.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Timestamp } from './closed.ts';
import { Envelope, TrustedKey } from './manifest.ts';

/** How many agents one list may hold. */
export const AGENT_KEYS_MAX = 100_000;

/** An agent and its key, for ever. */
export const AgentKey = Closed(
  {
    agentId: Type.String({ pattern: '^agent_[0-9a-z]{8,64}$', description: 'Whose key it is.' }),
    name: Type.String({ maxLength: 128, description: 'As the agent calls itself.' }),
    pool: Type.String({ description: 'Where it was let in.' }),
    publicKey: Type.String({ maxLength: 256, description: 'Ed25519, SPKI DER in base64.' }),
    enrolledAt: Timestamp,
    retiredAt: Type.Optional(Timestamp),
  },
  { title: 'AgentKey', description: 'An agent and its key, for ever.' },
);
export type AgentKey = Static<typeof AgentKey>;

/** The signed list. */
export const AgentKeyList = Closed({
  version: Type.Integer({ minimum: 1, description: 'Grows with every change of an agent.' }),
  issuedAt: Timestamp,
  keys: Type.Array(TrustedKey, {
    minItems: 1,
    maxItems: 16,
    description: 'Signing keys that count, those of a rotation under way among them.',
  }),
  agents: Type.Array(AgentKey, { maxItems: AGENT_KEYS_MAX }),
});
export type AgentKeyList = Static<typeof AgentKeyList>;

/** What the verifier is asked to sign: `POST /agent-keys`. Whom it has signed before stays, whatever is asked. */
export const AgentKeyOrder = Closed({ agents: Type.Array(AgentKey, { maxItems: AGENT_KEYS_MAX }) });
export type AgentKeyOrder = Static<typeof AgentKeyOrder>;

/** The verifier's answer. */
export const SignedAgentKeys = Closed({ envelope: Envelope });
export type SignedAgentKeys = Static<typeof SignedAgentKeys>;
