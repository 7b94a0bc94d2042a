/**
 * Owns the list of agents' keys that this verifier signs: everybody whom it has ever signed, under one key for ever.
 * Never forgets an agent, lets its key be replaced or a retirement be taken back: a coordinator that lost its memory, or that somebody else
 * speaks for, can't make an old receipt somebody else's.
 * Invariants: a list's number and agents are on the disk before it is handed out; the number grows with every change.
 */
import { createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Clock, toTimestamp } from '../../../shared/clock.ts';
import { SystemError } from '../../../shared/errors.ts';
import type { RevocationList } from '../../../shared/layers/revocation-list.ts';
import { AGENT_KEYS_MAX, AgentKey, type SignedAgentKeys } from '../../../shared/model/agent-keys.ts';
import { Closed } from '../../../shared/model/closed.ts';
import { signAgentKeys } from '../../../shared/receipts/agent-key-list.ts';
import { writeWhole } from '../../../shared/storage/whole-file.ts';
import { readLedger } from './ledger-file.ts';
import type { SigningKeys } from './signing-key.ts';

/** The file of whom it has signed, in the verifier's folder. */
export const AGENT_KEY_LEDGER = 'agent-keys.json';

const Ledger = Closed({ version: Type.Integer({ minimum: 0 }), agents: Type.Array(AgentKey) });
type Ledger = Static<typeof Ledger>;
const ledgerCheck = TypeCompiler.Compile(Ledger);

/** Neighbours and settings of a signer. */
export interface AgentKeySignerOptions {
  readonly directory: string;
  readonly keys: Pick<SigningKeys, 'trusted' | 'stateSigning'>;
  /** Signing keys that were revoked are not named any more. */
  readonly trust: { readonly revoked: RevocationList };
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** Signs lists; one call after the other. */
export class AgentKeySigner {
  readonly #options: AgentKeySignerOptions;
  #ledger: Ledger;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: AgentKeySignerOptions, ledger: Ledger) {
    this.#options = options;
    this.#ledger = ledger;
  }

  /** Reads the ledger of the folder; SystemError `configuration-invalid` when it is damaged. */
  static async open(options: AgentKeySignerOptions): Promise<AgentKeySigner> {
    const path = ledgerPath(options.directory);
    return new AgentKeySigner(options, await readLedger(path, ledgerCheck, { version: 0, agents: [] }, 'agents'));
  }

  /** A list of all agents so far, these among them. SystemError `conflict` when one of them is known with another key, or there are too many. */
  sign(agents: readonly AgentKey[]): Promise<SignedAgentKeys> {
    const turn = this.#last.then(() => this.#sign(agents));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #sign(agents: readonly AgentKey[]): Promise<SignedAgentKeys> {
    const all = new Map(this.#ledger.agents.map((agent) => [agent.agentId, agent]));
    let isChanged = this.#ledger.version === 0;
    for (const agent of agents) {
      const known = all.get(agent.agentId);
      const next = known === undefined ? checkKey(agent) : follow(known, agent);
      if (next === known) continue;
      all.set(agent.agentId, next);
      isChanged = true;
    }
    if (all.size > AGENT_KEYS_MAX) throw new SystemError('conflict', `a list has at most ${AGENT_KEYS_MAX} agents`);
    if (isChanged) await this.#write({ version: this.#ledger.version + 1, agents: [...all.values()] });
    return this.#issue();
  }

  #issue(): SignedAgentKeys {
    const { keys, trust, clock } = this.#options;
    const trusted = keys.trusted.filter(({ keyid }) => !trust.revoked.hasSigner(keyid));
    const { version, agents } = this.#ledger;
    const list = { version, issuedAt: toTimestamp(clock.nowMs()), keys: trusted, agents };
    return { envelope: signAgentKeys(list, keys.stateSigning) };
  }

  async #write(ledger: Ledger): Promise<void> {
    await writeWhole(ledgerPath(this.#options.directory), JSON.stringify(ledger));
    this.#ledger = ledger;
  }
}

/** What the ledger holds from now on; the same object when nothing is new. */
function follow(known: AgentKey, { agentId, name, pool, publicKey, enrolledAt, retiredAt }: AgentKey): AgentKey {
  if (publicKey !== known.publicKey || enrolledAt !== known.enrolledAt) {
    throw new SystemError('conflict', `agent ${agentId} is known with another key; a key is never replaced`);
  }
  const isRetirement = known.retiredAt === undefined && retiredAt !== undefined;
  if (name === known.name && pool === known.pool && !isRetirement) return known;
  return { ...known, name, pool, ...(isRetirement ? { retiredAt } : {}) };
}

function checkKey(agent: AgentKey): AgentKey {
  try {
    const der = Buffer.from(agent.publicKey, 'base64');
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    if (key.asymmetricKeyType === 'ed25519' && der.toString('base64') === agent.publicKey) return agent;
  } catch {
    // Said below.
  }
  throw new SystemError('request-invalid', `the key of agent ${agent.agentId} is no ed25519 key in base64`);
}

function ledgerPath(directory: string): string {
  return join(directory, AGENT_KEY_LEDGER);
}
