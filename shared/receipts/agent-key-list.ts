/**
 * Owns the list of agents' keys on its way into and out of its signed envelope: for the verifier, who signs it, and coordinators.
 * Never decides who is in it. Invariant: it is signed and opened as a trust state is, so that a turn of the signing key is the same for both.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Canonical, canonicalJson } from '../digest.ts';
import { SystemError } from '../errors.ts';
import { openAnchored, signByAll, type TrustAnchor } from '../layers/anchored-envelope.ts';
import type { SigningKey } from '../layers/envelope.ts';
import { AgentKeyList } from '../model/agent-keys.ts';
import type { Envelope } from '../model/manifest.ts';
import { AGENT_KEYS_PAYLOAD_TYPE } from './statement.ts';

const listCheck = TypeCompiler.Compile(AgentKeyList);

/** The list signed by each of these keys; throws a TypeError when it is none. */
export function signAgentKeys(list: AgentKeyList, keys: readonly SigningKey[]): Envelope {
  const problem = listCheck.Check(list) ? undefined : listCheck.Errors(list).First();
  if (problem !== undefined) {
    throw new TypeError(`a list of agents' keys to be signed is not valid: ${problem.path} ${problem.message}`);
  }
  return signByAll(AGENT_KEYS_PAYLOAD_TYPE, Buffer.from(canonicalJson(list as Canonical)), keys);
}

/** The list in the envelope; SystemError `trust-refused` unless it is signed as it must be. */
export function openAgentKeys(envelope: Envelope, anchor: TrustAnchor): AgentKeyList {
  let list: AgentKeyList | null;
  try {
    list = openAnchored(envelope, anchor, AGENT_KEYS_PAYLOAD_TYPE, decode);
  } catch (cause) {
    throw new SystemError('trust-refused', `a list of agents' keys is refused: ${(cause as Error).message}`, { cause });
  }
  if (list !== null) return list;
  throw new SystemError('trust-refused', "a list of agents' keys is refused: what is signed is not of its schema");
}

function decode(payload: Uint8Array): AgentKeyList | null {
  try {
    const list: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return listCheck.Check(list) ? list : null;
  } catch {
    return null;
  }
}
