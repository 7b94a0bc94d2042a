/**
 * Owns how an agent becomes known: a one-time token, then for ever its own key, proven by a signature over our nonce at every connect.
 * Never stores a token in clear and never lets a public key be replaced. A token is used up only together with recording its agent.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { type Clock, type Random, type Timer, toTimestamp } from '../../shared/clock.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { createId, toBase32 } from '../../shared/ids.ts';
import { toTrustedKey } from '../../shared/layers/envelope.ts';
import type { TrustedKey } from '../../shared/model/manifest.ts';
import { type AgentMessage, challengeText } from '../../shared/protocol/agent-messages.ts';
import type { AgentBounds, AgentStore, EnrolledAgent } from '../executions/state-store.ts';
import type { AgentKeys } from './agent-keys.ts';

/** The greeting of an agent. */
export type Hello = Extract<AgentMessage, { type: 'agent.hello' }>;

/** A token as its asker sees it, once. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresAt: string;
}

/** Null for any text but the one that this key has: another would be a second agent of one key, and a list that holds it is never signed. */
function toKey(publicKey: string): KeyObject | null {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' && toTrustedKey(key).publicKey === publicKey ? key : null;
  } catch {
    return null;
  }
}

/** An agent's key in the form in which signatures are checked. */
export function toAgentKey(publicKey: string): TrustedKey {
  return { keyid: digestOf(Buffer.from(publicKey, 'base64')), publicKey };
}

/** What enrolment talks to. */
export interface EnrolmentDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly agents: AgentStore;
  /** The signed list: it learns of every new agent, and knows who was retired. */
  readonly keys: Pick<AgentKeys, 'renew' | 'isRetired'>;
}

/** Settings of an enrolment; without bounds there may be any number. */
export interface EnrolmentOptions {
  readonly tokenTtlMs: number;
  readonly tokenFile: string;
  readonly tokensMax?: number;
  readonly agents?: AgentBounds;
}

/** Tokens and the proof of identity. */
export class Enrolment {
  readonly #deps: EnrolmentDeps;
  readonly #tokenTtlMs: number;
  readonly #tokenFile: string;
  readonly #tokensMax: number;
  readonly #bounds: AgentBounds | undefined;
  #fileToken = '';
  #timer: Timer | null = null;
  #isStopped = false;

  /** `tokenFile` is '' or a file that always holds a token which nobody has used yet. */
  constructor(deps: EnrolmentDeps, options: EnrolmentOptions) {
    this.#deps = deps;
    this.#tokenTtlMs = options.tokenTtlMs;
    this.#tokenFile = options.tokenFile;
    this.#tokensMax = options.tokensMax ?? Number.MAX_SAFE_INTEGER;
    this.#bounds = options.agents;
  }

  /** A fresh token that lets one agent in, into this pool whatever it says; null: into any that is no tenant's. */
  /** SystemError `quota-exceeded` when too many are out already; the one in the token file is let out whatever there are. */
  async issue(pool: string | null = null, tokensMax = this.#tokensMax): Promise<IssuedToken> {
    const { clock, random, agents } = this.#deps;
    const token = `enrol_${toBase32(random.bytes(32))}`;
    const nowMs = clock.nowMs();
    const expiresAtMs = nowMs + this.#tokenTtlMs;
    const firstMs = await agents.addToken(digestOf(token), expiresAtMs, pool, { nowMs, tokensMax });
    if (firstMs !== null) {
      const whose = pool === null ? 'no pool' : `pool ${pool}`;
      const retryAfterSeconds = Math.max(1, Math.ceil((firstMs - nowMs) / 1000));
      const detail = `${tokensMax} tokens of ${whose} are out that nobody has used; the next one expires in ${retryAfterSeconds} s`;
      throw new SystemError('quota-exceeded', detail, { retryAfterSeconds });
    }
    return { token, expiresAt: toTimestamp(expiresAtMs) };
  }

  /** Puts a fresh token into the token file, now and again before it expires; SystemError when it can't be written. */
  async writeTokenFile(): Promise<void> {
    if (this.#tokenFile === '' || this.#isStopped) return;
    const { token } = await this.issue(null, Number.MAX_SAFE_INTEGER);
    const incoming = `${this.#tokenFile}.incoming`;
    try {
      writeFileSync(incoming, `${token}\n`, { mode: 0o640 });
      // The umask may be narrower than the group that is to read it.
      chmodSync(incoming, 0o640);
      renameSync(incoming, this.#tokenFile);
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new SystemError('requirement-missing', `the enrolment token can't be written: ${said}`, { cause });
    }
    this.#fileToken = token;
    this.#timer?.cancel();
    if (this.#isStopped) return;
    this.#timer = this.#deps.clock.after(
      Math.min(this.#tokenTtlMs / 2, 2 ** 30),
      () => void this.writeTokenFile().catch(() => undefined),
    );
  }

  /** Keeps the token file no longer; the token in it is good for its time. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** A nonce for one handshake. */
  nonce(): string {
    return Buffer.from(this.#deps.random.bytes(32)).toString('base64url');
  }

  /** Who proved to be who; SystemError `agent-refused` with a sentence for the agent's operator. */
  async admit(hello: Hello, nonce: string, signature: string): Promise<EnrolledAgent> {
    const key = toKey(hello.publicKey);
    const isProven =
      key !== null && verify(null, Buffer.from(challengeText(nonce)), key, Buffer.from(signature, 'base64'));
    if (!isProven) throw new SystemError('agent-refused', 'the proof does not fit the public key');
    const { agents, keys } = this.#deps;
    const known = await agents.findByKey(hello.publicKey);
    if (known !== null && (await keys.isRetired(known.id))) {
      throw new SystemError('agent-refused', `agent ${known.id} was retired; another one needs a key of its own`);
    }
    if (hello.agentId !== null) {
      if (known?.id === hello.agentId) return known;
      throw new SystemError(
        'agent-refused',
        `agent ${hello.agentId} is not known with this key; enrol it with a new token`,
      );
    }
    // The agent may have been enrolled and have died before it could write down its id.
    return known ?? (await this.#enrol(hello));
  }

  async #enrol(hello: Hello): Promise<EnrolledAgent> {
    if (hello.token === null) {
      throw new SystemError('agent-refused', 'this key is not known; give the agent a one-time enrolment token');
    }
    const { clock, random, agents, keys } = this.#deps;
    const agent: EnrolledAgent = {
      id: createId('agent', random),
      name: hello.name,
      publicKey: hello.publicKey,
      pool: hello.pool,
      enrolledAtMs: clock.nowMs(),
      isDraining: false,
    };
    const enrolled = await agents.enrol(digestOf(hello.token), agent, clock.nowMs(), this.#bounds);
    if (enrolled === 'token-unknown') {
      throw new SystemError(
        'agent-refused',
        'the enrolment token is not known, was used or has expired; ask for a new one',
      );
    }
    if (enrolled === 'pool-owned') {
      const detail = `pool ${hello.pool} is a tenant's, and this token is not bound to it; ask for one that is, or set another pool`;
      throw new SystemError('agent-refused', detail);
    }
    if (enrolled === 'pool-full' || enrolled === 'fleet-full') {
      const what = enrolled === 'pool-full' ? 'its pool has' : 'there are';
      const setting = enrolled === 'pool-full' ? 'poolAgentsMax' : 'agentsMax';
      throw new SystemError('agent-refused', `${what} as many agents as there may be (${setting}), retired ones too`);
    }
    void keys.renew();
    if (hello.token === this.#fileToken) await this.writeTokenFile();
    return enrolled;
  }
}
