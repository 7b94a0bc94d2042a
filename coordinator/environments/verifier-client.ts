/**
 * Owns talking to the verifier over its Unix socket: publications, promotions, reproductions, trust states, keys of its own and of agents, sweeps.
 * Never sees the signing key. A refusal is SystemError with the verifier's own code; silence is `verifier-unavailable`.
 */
import { type TSchema, Type } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import { type ErrorCode, SystemError, toErrorCode } from '../../shared/errors.ts';
import { type AgentKeyOrder, SignedAgentKeys } from '../../shared/model/agent-keys.ts';
import {
  type PromotionOrder,
  Publication,
  type PublicationOrder,
  type ReproductionCandidate,
  type ReproductionOrder,
} from '../../shared/model/build.ts';
import { Closed } from '../../shared/model/closed.ts';
import { type SweepOrder, SweepResult } from '../../shared/model/sweep.ts';
import { SignedTrust, SigningKeyList, type TrustOrder } from '../../shared/model/trust.ts';
import { Client } from '../../shared/undici.ts';

const publicationCheck = TypeCompiler.Compile(Publication);
const candidateCheck = TypeCompiler.Compile(Closed({ isCandidate: Type.Literal(true) }));
const keysCheck = TypeCompiler.Compile(SigningKeyList);
const trustCheck = TypeCompiler.Compile(SignedTrust);
const agentKeysCheck = TypeCompiler.Compile(SignedAgentKeys);
const sweepCheck = TypeCompiler.Compile(SweepResult);

/** The steps of a key's rotation: another key is trusted, then signs, then the one before it is trusted no more. */
export const rotationSteps = ['announce', 'switch', 'retire'] as const;
export type RotationStep = (typeof rotationSteps)[number];

/** Checks, signs and writes layers. */
export interface Verifier {
  publish(order: PublicationOrder): Promise<Publication>;
  /** Signs a tenant's layer again as a shared one. */
  promote(order: PromotionOrder): Promise<Publication>;
  /** Says whether a second build is worth it: SystemError `publication-refused` when its layer would stay a tenant's anyway. */
  checkCandidate(candidate: ReproductionCandidate): Promise<void>;
  /** Signs a tenant's layer again as a shared one, if a second build agrees with it. */
  reproduce(order: ReproductionOrder): Promise<Publication>;
  /** Signing keys that count. */
  keys(): Promise<SigningKeyList>;
  /** Takes the next step of a rotation; SystemError `conflict` when it is not its turn. */
  rotate(step: RotationStep): Promise<SigningKeyList>;
  /** A fresh trust state: what was revoked before, and this. */
  trust(order: TrustOrder): Promise<SignedTrust>;
  /** A fresh list of agents' keys: whoever was in one before, and these; SystemError `conflict` when a key is another one than before. */
  signAgentKeys(order: AgentKeyOrder): Promise<SignedAgentKeys>;
  /** Removes manifests, and what is not needed any more. */
  sweep(order: SweepOrder): Promise<SweepResult>;
  close(): Promise<void>;
}

function toRefusal(code: number, text: string): SystemError {
  // Without a code of ours it is a verifier that can't work now, or somebody else who answers in its place.
  const otherwise: ErrorCode = code >= 500 ? 'verifier-unavailable' : 'publication-refused';
  try {
    const problem = JSON.parse(text) as { code?: unknown; detail?: unknown };
    return new SystemError(toErrorCode(problem.code, otherwise), String(problem.detail ?? text));
  } catch {
    return new SystemError(otherwise, `the verifier answers ${code}: ${text.slice(0, 500)}`);
  }
}

/** A client of the verifier behind this socket. */
export function createVerifierClient(socketPath: string): Verifier {
  const client = new Client('http://verifier', { socketPath, headersTimeout: 0, bodyTimeout: 0, pipelining: 16 });

  async function ask<Schema extends TSchema>(
    method: 'GET' | 'POST',
    path: string,
    order: unknown,
    check: TypeCheck<Schema>,
  ) {
    try {
      const request =
        method === 'GET'
          ? { method, path }
          : { method, path, body: JSON.stringify(order), headers: { 'content-type': 'application/json' } };
      const { statusCode, body } = await client.request(request);
      const text = await body.text();
      if (statusCode !== 200) throw toRefusal(statusCode, text);
      const answer: unknown = JSON.parse(text);
      if (check.Check(answer)) return answer;
      throw new Error(`an answer that is not one: ${text.slice(0, 200)}`);
    } catch (cause) {
      if (cause instanceof SystemError) throw cause;
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new SystemError('verifier-unavailable', `asking the verifier: ${said}`, { cause, retryAfterSeconds: 2 });
    }
  }

  return {
    publish: (order) => ask('POST', '/publications', order, publicationCheck),
    promote: (order) => ask('POST', '/promotions', order, publicationCheck),
    checkCandidate: async (candidate) => {
      await ask('POST', '/reproductions/candidates', candidate, candidateCheck);
    },
    reproduce: (order) => ask('POST', '/reproductions', order, publicationCheck),
    keys: () => ask('GET', '/keys', null, keysCheck),
    rotate: (step) => ask('POST', `/keys/${step}`, {}, keysCheck),
    trust: (order) => ask('POST', '/trust', order, trustCheck),
    signAgentKeys: (order) => ask('POST', '/agent-keys', order, agentKeysCheck),
    sweep: (order) => ask('POST', '/sweeps', order, sweepCheck),
    close: () => client.destroy(),
  };
}
