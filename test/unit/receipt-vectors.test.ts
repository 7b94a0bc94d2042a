/**
 * Owns that receipts stand still: what was made apart from the project, by what docs/receipts.md says (test/vectors/receipts.py), is made alike by
 * agents, read alike by coordinators, and verified by the client library.
 */
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { verifyReceipt } from '../../client/typescript/client.ts';
import { digestOf } from '../../shared/digest.ts';
import { toSigningKey, toTrustedKey } from '../../shared/layers/envelope.ts';
import { openAgentKeys } from '../../shared/receipts/agent-key-list.ts';
import { digestOfAsked, openReceipt, signReceipt } from '../../shared/receipts/receipt.ts';

const vector = JSON.parse(readFileSync(new URL('../vectors/receipts.json', import.meta.url), 'utf8'));
const { request, statement, answer, agentKeys, signingKeyIds } = vector;

test('an agent digests what was asked, and signs, as the vector says', () => {
  const { variables } = request.environment;
  const order = {
    files: request.files,
    compile: { ...request.compile, variables: { ...variables, ...request.compile.variables } },
    run: { ...request.run, stdinEncoding: 'utf8', variables },
  };
  assert.equal(digestOf(vector.askedText), statement.request);
  assert.equal(digestOfAsked(order as never), statement.request);
  // RFC 8032, 7.1, test 1.
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const key = toSigningKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  assert.equal(signReceipt(statement, key), answer.receipt);
  assert.deepEqual(openReceipt(answer.receipt, toTrustedKey(key)), statement);
});

test('the client library verifies the vector by either signing key of the rotation, and compares the request', async () => {
  const list = openAgentKeys(agentKeys, { keyIds: [signingKeyIds.previous] });
  assert.equal(list.agents[0]?.agentId, statement.agent);
  for (const keyid of Object.values<string>(signingKeyIds)) {
    const verdict = await verifyReceipt({
      execution: answer,
      agentKeys,
      signingKeyIds: [keyid],
      request,
      tenant: 'local',
    });
    assert.ok(verdict.isValid, JSON.stringify(verdict));
    assert.deepEqual(verdict.statement, statement);
  }
  const less = { ...request, files: request.files.slice(1) };
  const verdict = await verifyReceipt({
    execution: answer,
    agentKeys,
    signingKeyIds: [signingKeyIds.present],
    request: less,
  });
  assert.ok(!verdict.isValid && verdict.reason === 'request-differs');
});
