/**
 * Owns receipts from end to end: a real agent's verifies by what the API gives alone; an agent that lies in one is refused by name and its
 * execution ends elsewhere; the list of keys knows who was enrolled and who was retired; a receipt comes through another coordinator.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { type ReceiptEvidence, verifyReceipt } from '../../client/typescript/client.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import type { ReceiptStatement } from '../../shared/model/receipt.ts';
import { setStage } from '../support/agent-stage.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { Coordinators, simpleRequest } from '../support/coordinators.ts';
import { makeResult } from '../support/lease-results.ts';
import { answerOffer } from '../support/receipts.ts';
import { type AgentScript, ScriptedAgent } from '../support/scripted-agent.ts';

type Fixture = Awaited<ReturnType<typeof startCoordinator>>;

/** What a client gets over HTTP for checking receipts; the operator publishes the ids of the signing keys. */
async function askEvidence({
  ask,
}: Pick<Fixture, 'ask'>): Promise<Pick<ReceiptEvidence, 'agentKeys' | 'signingKeyIds'>> {
  const agentKeys: Envelope = await (await ask('GET', '/v1/agents/keys')).json();
  const { keys } = await (await ask('GET', '/v1/cache/keys')).json();
  return { agentKeys, signingKeyIds: keys.map(({ keyid }: { keyid: string }) => keyid) };
}

test("a real agent's receipts verify by what the API gives alone, of success, a failed compile and bytes that are no text", async (t) => {
  const { coordinator, startAgent, execute } = await setStage(t);
  await startAgent();
  const requests: ExecutionRequest[] = [
    {
      environment: { base: 'debian-13', variables: { SHARED: 'ours' } },
      files: [{ path: 'main.txt', content: 'AP8=', encoding: 'base64', executable: true }],
      compile: { script: 'cat main.txt > made', variables: { FLAG: 'on' } },
      run: {
        script: 'cat made; echo "$SHARED $1" >&2; cat',
        arguments: ['an argument'],
        stdin: 'input',
        limits: { processes: 99 },
      },
    },
    { environment: {}, compile: { script: 'exit 4' }, run: { script: 'true' } },
    { environment: {}, run: { script: 'kill -9 $$' } },
  ];
  const answers: Execution[] = [];
  for (const request of requests) answers.push(await execute(request));
  const evidence = await askEvidence(coordinator);
  for (const [index, execution] of answers.entries()) {
    const request = requests[index] as ExecutionRequest;
    const verdict = await verifyReceipt({ ...evidence, execution, request, tenant: 'local' });
    assert.ok(verdict.isValid, JSON.stringify([verdict, execution]));
    assert.deepEqual([verdict.statement.execution, verdict.agent.agentId], [execution.id, execution.agent?.id]);
    assert.equal(
      verdict.statement.run?.limits.processes,
      index === 1 ? undefined : (request.run.limits?.processes ?? 128),
    );
    const other = requests[(index + 1) % requests.length] as ExecutionRequest;
    const wrong = await verifyReceipt({ ...evidence, execution, request: other });
    assert.ok(!wrong.isValid && wrong.reason === 'request-differs');
  }
  const [first, second] = answers;
  assert.ok(first !== undefined && second !== undefined);
  const swapped = await verifyReceipt({ ...evidence, execution: { ...first, receipt: second.receipt } });
  assert.ok(!swapped.isValid && swapped.reason === 'execution-differs');
  assert.deepEqual(
    answers.map(({ verdict }) => verdict),
    ['ok', 'nonzero-exit', 'signaled'],
  );
});

const idOf = async (agent: ScriptedAgent): Promise<string> => (await agent.heard('session.welcome')).agentId;

/** An agent that answers every offer with the result that it states, or states something else. */
const stating = (
  changes: (offered: { lease: string; order: { executionId: string } }) => Partial<ReceiptStatement>,
): AgentScript => ({
  offered: (offer, agent) => {
    void idOf(agent).then((agentId) => {
      const result = answerOffer(offer, { agent: agentId, privateKey: agent.keys.privateKey }, changes(offer));
      agent.say({ type: 'lease.completed', lease: offer.lease, fence: offer.fence, result });
    });
  },
});
const honest = stating(() => ({}));

const request: ExecutionRequest = { environment: {}, run: { script: 'true' } };

/** Has a liar get an execution, then an honest agent: the liar is refused for this reason, and the other one's receipt is good. */
async function expectRefusal(coordinator: Fixture, liar: ScriptedAgent, reason: string): Promise<void> {
  const seen = coordinator.logged.length;
  const acknowledged = liar.said.filter(({ type }) => type === 'lease.acknowledged').length;
  const answered = coordinator.ask('POST', '/v1/executions?wait=20', request);
  while (liar.said.filter(({ type }) => type === 'lease.acknowledged').length === acknowledged) {
    await once(liar.socket, 'said');
  }
  const saviour = await coordinator.join({ slots: 1, ...honest });
  const execution: Execution = await (await answered).json();
  assert.deepEqual([execution.verdict, execution.attempts], ['ok', 2], `${reason}: ${JSON.stringify(execution)}`);
  assert.equal(execution.agent?.id, await idOf(saviour));
  const verdict = await verifyReceipt({ ...(await askEvidence(coordinator)), execution, request });
  assert.ok(verdict.isValid, JSON.stringify(verdict));
  const said = coordinator.logged.slice(seen).find(({ msg }) => msg === 'receipt refused');
  const named = [reason, await idOf(liar), execution.id];
  assert.deepEqual([said?.['reason'], said?.['agentId'], said?.['executionId']], named);
  assert.equal(liar.socket.readyState, liar.socket.OPEN, 'its other leases are unharmed');
  for (const agent of [liar, saviour]) {
    agent.socket.close();
    await agent.closed;
  }
}

test('an agent that lies in its receipt is refused by name, and its execution ends with another agent', async (t) => {
  const coordinator = await startCoordinator(t);
  const lies: readonly (readonly [reason: string, changes: Partial<ReceiptStatement>])[] = [
    ['execution-differs', { execution: 'exec_of_somebody_else' }],
    ['agent-differs', { agent: 'agent_00000001' }],
    ['verdict-differs', { verdict: 'signaled' }],
    ['request-differs', { request: `sha256:${'0'.repeat(64)}` }],
    ['fence-differs', { fence: 1 }],
  ];
  for (const [reason, changes] of lies) {
    await expectRefusal(coordinator, await coordinator.join({ slots: 1, ...stating(() => changes) }), reason);
  }
});

test("another agent's key, and what is no receipt, are refused by name", async (t) => {
  const coordinator = await startCoordinator(t);
  const { privateKey } = generateKeyPairSync('ed25519');
  const liar = await coordinator.join({
    slots: 1,
    offered: (offer, agent) => {
      void idOf(agent).then((agentId) => {
        const result = answerOffer(offer, { agent: agentId, privateKey });
        agent.say({ type: 'lease.completed', lease: offer.lease, fence: offer.fence, result });
      });
    },
  });
  await expectRefusal(coordinator, liar, 'receipt-not-signed');
  const result = { ...makeResult(), receipt: 'nonsense' };
  const fool = await coordinator.join({
    slots: 1,
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result }),
  });
  await expectRefusal(coordinator, fool, 'receipt-malformed');
});

test('a receipt that was good once is no receipt of the next execution', async (t) => {
  const coordinator = await startCoordinator(t);
  let first = '';
  const liar = await coordinator.join({
    slots: 1,
    offered: (offer, agent) => {
      void idOf(agent).then((agentId) => {
        const result = answerOffer(offer, { agent: agentId, privateKey: agent.keys.privateKey });
        first ||= result.receipt ?? '';
        const replayed = { ...result, receipt: first };
        agent.say({ type: 'lease.completed', lease: offer.lease, fence: offer.fence, result: replayed });
      });
    },
  });
  const good: Execution = await (await coordinator.ask('POST', '/v1/executions?wait=20', request)).json();
  assert.deepEqual([good.verdict, good.receipt], ['ok', first]);
  await expectRefusal(coordinator, liar, 'execution-differs');
});

test('when every agent lies the execution fails as ours, and a result without a receipt is taken as from an older release', async (t) => {
  const coordinator = await startCoordinator(t, { retriesMax: 1 });
  const liar = await coordinator.join(stating(() => ({ verdict: 'signaled' })));
  const failed: Execution = await (await coordinator.ask('POST', '/v1/executions?wait=20', request)).json();
  assert.deepEqual([failed.stage, failed.verdict, failed.run, failed.receipt], ['failed', null, null, null]);
  assert.match(failed.failure?.detail ?? '', /receipt that does not fit: it states another verdict/);
  liar.socket.close();
  await liar.closed;
  await coordinator.join({
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const plain: Execution = await (await coordinator.ask('POST', '/v1/executions?wait=20', request)).json();
  assert.deepEqual([plain.verdict, plain.receipt], ['ok', null]);
  const verdict = await verifyReceipt({ ...(await askEvidence(coordinator)), execution: plain });
  assert.ok(!verdict.isValid && verdict.reason === 'receipt-missing');
});

test('an agent that was retired is let in no more; it stays in the list, marked, and so its receipts are still good', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join(honest);
  const agentId = await idOf(agent);
  const execution: Execution = await (await coordinator.ask('POST', '/v1/executions?wait=20', request)).json();
  const before = await askEvidence(coordinator);
  const answer = await coordinator.ask('POST', `/v1/agents/${agentId}/retire`);
  assert.equal(answer.status, 200);
  const { retiredAt } = await answer.json();
  await agent.closed;
  const back = coordinator.dial({ agentId, keys: agent.keys });
  assert.match((await back.heard('session.refused')).reason, /retired/);
  await coordinator.restart();
  const still = coordinator.dial({ agentId, keys: agent.keys });
  assert.match((await still.heard('session.refused')).reason, /retired/);
  const after = await askEvidence(coordinator);
  const verdict = await verifyReceipt({ ...after, execution, request });
  assert.ok(verdict.isValid && verdict.agent.retiredAt === retiredAt, JSON.stringify(verdict));
  const old = await verifyReceipt({ ...before, execution, agentKeysVersionMin: verdict.agentKeys.version });
  assert.ok(!old.isValid && old.reason === 'keys-too-old');
  assert.equal((await coordinator.ask('POST', '/v1/agents/agent_00000009/retire')).status, 404);
});

test('a verifier that hangs keeps no known agent out, and the list before is served', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join(honest);
  const agentId = await idOf(agent);
  const before = await askEvidence(coordinator);
  const requests = coordinator.services.verifier.rawListeners('request') as ((...asked: unknown[]) => void)[];
  const held: (() => void)[] = [];
  coordinator.services.verifier.removeAllListeners('request');
  coordinator.services.verifier.on('request', (...asked) => {
    held.push(() => void requests.forEach((listener) => void listener(...asked)));
  });
  const enrolled = await coordinator.join();
  agent.socket.close();
  const back = await coordinator.join({ token: null, agentId, keys: agent.keys });
  assert.equal(await idOf(back), agentId);
  const served: Envelope = await (await coordinator.ask('GET', '/v1/agents/keys')).json();
  assert.equal(served.payload, before.agentKeys.payload);
  for (const answer of held) answer();
  const after: Envelope = await (await coordinator.ask('GET', '/v1/agents/keys')).json();
  assert.ok(Buffer.from(after.payload, 'base64').includes(await idOf(enrolled)));
});

test('the list follows a turn of the signing key: whoever pinned either key believes it until the old one is retired', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join(honest);
  const execution: Execution = await (await coordinator.ask('POST', '/v1/executions?wait=20', simpleRequest)).json();
  const isValidBy = async (keyid: string) => {
    const agentKeys: Envelope = await (await coordinator.ask('GET', '/v1/agents/keys')).json();
    return (await verifyReceipt({ execution, agentKeys, signingKeyIds: [keyid] })).isValid;
  };
  const turn = async (step: string) => {
    const { keys } = await (await coordinator.ask('POST', `/v1/cache/keys/${step}`)).json();
    return (role: string): string => keys.find((key: { role: string }) => key.role === role)?.keyid;
  };
  // Scripted agents report no trust version: they would hold back the next step.
  agent.socket.close();
  await agent.closed;
  const [old, next] = [(await turn('announce'))('present'), (await turn('switch'))('present')];
  assert.notEqual(old, next);
  assert.deepEqual([await isValidBy(old), await isValidBy(next)], [true, true]);
  await turn('retire');
  assert.deepEqual([await isValidBy(old), await isValidBy(next)], [false, true]);
});

test('a receipt comes through the coordinator that has the agent, which is the one that checks it', async (t) => {
  const coordinators = await Coordinators.prepare(t, { tenants: ['one'] });
  const two = [await coordinators.start(), await coordinators.start()];
  await Promise.all(two.map((one) => one.logged(({ msg }) => msg === 'peer reached')));
  const { owner, other } = await coordinators.split('one');
  const liar = await coordinators.join(other, { slots: 1, ...stating(() => ({ lease: 'lease_of_somebody_else' })) });
  const client = coordinators.as('one', owner);
  const answered = client.post<Execution>('/v1/executions?wait=20', simpleRequest);
  const { reason } = await other.logged(({ msg }) => msg === 'receipt refused');
  assert.equal(reason, 'lease-differs');
  await liar.heard('lease.acknowledged');
  const saviour = await coordinators.join(other, honest);
  const { body: execution } = await answered;
  assert.deepEqual([execution.verdict, execution.agent?.id], ['ok', await idOf(saviour)], JSON.stringify(execution));
  for (const asked of two) {
    const { body: agentKeys } = await coordinators.as('one', asked).get<Envelope>('/v1/agents/keys');
    const { body } = await coordinators.as('operator', asked).get<{ keys: { keyid: string }[] }>('/v1/cache/keys');
    const signingKeyIds = body.keys.map(({ keyid }) => keyid);
    const verdict = await verifyReceipt({
      execution,
      agentKeys,
      signingKeyIds,
      request: simpleRequest as ExecutionRequest,
      tenant: 'one',
    });
    assert.ok(verdict.isValid, JSON.stringify(verdict));
  }
  // Retired with one coordinator, it is out with the other.
  const agentId = await idOf(saviour);
  const retired = await coordinators.as('operator', owner).post(`/v1/agents/${agentId}/retire`, {});
  assert.equal(retired.status, 200);
  await saviour.closed;
  const again = new ScriptedAgent(other.url, { agentId, keys: saviour.keys });
  coordinators.agents.push(again);
  assert.match((await again.heard('session.refused')).reason, /retired/);
});
