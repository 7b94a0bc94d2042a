/**
 * Owns everything that a receipt is made of, for tests that change some of it: an agent's and a signing key, an order, a result, its receipt, the
 * answer that a client gets, the signed list.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { toTimestamp } from '../../shared/clock.ts';
import { digestOf } from '../../shared/digest.ts';
import { type SigningKey, signEnvelope, toSigningKey, toTrustedKey } from '../../shared/layers/envelope.ts';
import type { AgentKey, AgentKeyList } from '../../shared/model/agent-keys.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { ReceiptStatement } from '../../shared/model/receipt.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { signAgentKeys } from '../../shared/receipts/agent-key-list.ts';
import { digestOfAsked, type Lessee, signReceipt, toStatement } from '../../shared/receipts/receipt.ts';
import { RECEIPT_PAYLOAD_TYPE } from '../../shared/receipts/statement.ts';
import { makeOrder } from './lease-orders.ts';
import { makeReport, makeResult } from './lease-results.ts';

/** What a client asks for. */
export const request: ExecutionRequest = {
  environment: { variables: { SHARED: 'environment', OWN: 'environment' } },
  files: [
    { path: 'main.c', content: 'int main() {}' },
    { path: 'data', content: 'AP8=', encoding: 'base64', executable: true },
  ],
  compile: { script: 'make', limits: { cpuTimeMs: 60_000 } },
  run: {
    script: './main "$1"',
    arguments: ['é'],
    stdin: 'input',
    variables: { OWN: 'run' },
    limits: { processes: 128 },
  },
};

/** What an agent gets of it. */
export const order: LeaseOrderMessage = makeOrder({
  files: request.files ?? [],
  compile: { script: 'make', variables: { SHARED: 'environment', OWN: 'environment' }, limits: limitDefaults.compile },
  run: {
    ...{ script: './main "$1"', arguments: ['é'], stdin: 'input', stdinEncoding: 'utf8' },
    ...{ variables: { SHARED: 'environment', OWN: 'run' }, limits: limitDefaults.run },
  },
});

/** Its layers. */
export const layers = [digestOf('base'), digestOf('setup')];

/** What became of it. */
export const result: LeaseResultMessage = makeResult({
  compile: makeReport({ stdout: 'compiled\n' }),
  run: makeReport({ stdout: 'AP8=', stdoutEncoding: 'base64', exitCode: 3, verdict: 'nonzero-exit' }),
  verdict: 'nonzero-exit',
  layers: layers.map((digest) => ({ kind: 'base' as const, digest, bytes: 1, origin: 'local' as const })),
});

/** A lease of this agent. */
export const lessee: Lessee = {
  ...{ agent: 'agent_00000001', lease: 'lease_00000001', fence: 7 },
  ...{ acceptedAtMs: Date.UTC(2026, 0, 1), completedAtMs: Date.UTC(2026, 0, 1) + 20 },
};

/** What an honest agent states. */
export const statement: ReceiptStatement = toStatement(order, lessee, result, digestOfAsked(order));

const createKey = (): SigningKey => toSigningKey(generateKeyPairSync('ed25519').privateKey);

/** Keys of the agent and of the verifier. */
export const keys = { agent: createKey(), signing: createKey(), next: createKey(), stranger: createKey() };

/** The agent in a list. */
export const agentKey: AgentKey = {
  ...{ agentId: lessee.agent, name: 'one', pool: 'default', publicKey: toTrustedKey(keys.agent).publicKey },
  enrolledAt: '2025-12-01T00:00:00.000Z',
};

/** A list of it. */
export const keyList: AgentKeyList = {
  ...{ version: 3, issuedAt: '2026-01-02T00:00:00.000Z', keys: [toTrustedKey(keys.signing)], agents: [agentKey] },
};

/** The answer that a client gets for a result with this receipt. */
export function toAnswer(receipt: string | null = signReceipt(statement, keys.agent)): Execution {
  const { verdict, endedIn, compile, run } = result;
  const timing = { queuedMs: 0, buildMs: 0, fetchMs: 0, prepareMs: 0, executeMs: 0, collectMs: 0, overheadMs: 0 };
  return {
    ...{ id: order.executionId, stage: 'finished', verdict, endedIn, compile, run, receipt, timing },
    environment: { id: 'env_00000000', scope: 'tenant', layers: result.layers },
    ...{
      setup: null,
      dependencies: null,
      verify: null,
      tests: [],
      check: null,
      score: null,
      certificate: null,
      files: [],
    },
    agent: { id: lessee.agent, name: 'one', pool: 'default' },
    ...{ attempts: 1, failure: null, metadata: {}, createdAt: '2026-01-01T00:00:00.000Z', finishedAt: null },
  };
}

/** Everything that a client has. */
export function toEvidence() {
  return {
    execution: toAnswer(),
    agentKeys: signAgentKeys(keyList, [keys.signing]),
    signingKeyIds: [keys.signing.keyid],
    request,
    tenant: order.tenantId,
  };
}

/** What an agent with this key says of an offer: its result, with what it states, or what a test has it state. */
export function answerOffer(
  offer: { readonly lease: string; readonly fence: number; readonly order: LeaseOrderMessage },
  { agent, privateKey }: { readonly agent: string; readonly privateKey: KeyObject },
  changes: Partial<ReceiptStatement> = {},
): LeaseResultMessage {
  const { lease, fence, order: asked } = offer;
  const nowMs = Date.now();
  const ran = makeResult({ layers: asked.layers.map(({ envelope }) => toUse(envelope.payload)) });
  const terms = { agent, lease, fence, acceptedAtMs: nowMs, completedAtMs: nowMs };
  const stated = { ...toStatement(asked, terms, ran, digestOfAsked(asked)), ...changes };
  return { ...ran, receipt: signReceipt(stated, toSigningKey(privateKey)) };
}

function toUse(payload: string): LeaseResultMessage['layers'][number] {
  const { kind, tar, blob } = JSON.parse(Buffer.from(payload, 'base64').toString());
  return { kind, digest: tar.digest, bytes: blob.bytes, origin: 'local' };
}

/** A moment so many milliseconds after another one. */
export const after = (timestamp: string, milliseconds: number): string =>
  toTimestamp(Date.parse(timestamp) + milliseconds);

/** What an agent can sign that holds its key and no respect for schemas. */
export function signText(payload: Buffer): string {
  const [signature] = signEnvelope(RECEIPT_PAYLOAD_TYPE, payload, keys.agent).signatures;
  return `${payload.toString('base64url')}.${Buffer.from(signature?.sig ?? '', 'base64').toString('base64url')}`;
}
