/**
 * Owns that long messages go in pieces between coordinator and agent, both ways, if both know how to; and what becomes of pieces that never end.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeCodes } from '../../shared/protocol/version.ts';
import { PIECE_LENGTH, textPieces } from '../../shared/text-pieces.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import type { AgentScript, ScriptedAgent } from '../support/scripted-agent.ts';

const MEBIBYTE = 1024 * 1024;
const stdin = 'aé€😀'.repeat(MEBIBYTE / 5);
const stdout = '😀€éa'.repeat(MEBIBYTE / 5);
const request = { environment: {}, run: { script: 'cat', stdin } };
const understands = ['message.pieces'];

function sayInPieces({ socket }: ScriptedAgent, text: string): void {
  const pieces = [...textPieces(text)];
  const rest = pieces.pop() ?? '';
  for (const piece of pieces) socket.send(piece, { binary: true });
  socket.send(rest);
}

const answering: AgentScript['offered'] = ({ lease, fence, order }, agent) => {
  assert.equal(order.run.stdin, stdin);
  const result = makeResult({ run: makeReport({ stdout }) });
  sayInPieces(agent, JSON.stringify({ type: 'lease.completed', lease, fence, result }));
};

test('an order goes out in pieces, and a result comes in them, whole', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join({ understands, offered: answering });
  assert.deepEqual((await agent.heard('session.welcome')).understands, understands);
  const answer = await coordinator.ask('POST', '/v1/executions?wait=20', request);
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).run.stdout, stdout);
  assert.ok(agent.pieces >= Math.floor(stdin.length / PIECE_LENGTH), `${agent.pieces} pieces`);
});

test('an agent that knows nothing of pieces is told the same in one message', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join({
    offered: ({ lease, fence, order }, said) => {
      assert.equal(order.run.stdin, stdin);
      said.say({ type: 'lease.completed', lease, fence, result: makeResult() });
    },
  });
  const answer = await coordinator.ask('POST', '/v1/executions?wait=20', request);
  assert.equal((await answer.json()).run.stdout, 'hello\n');
  assert.equal(agent.pieces, 0);
});

test('pieces that never end are bounded, and end their own connection only', async (t) => {
  const coordinator = await startCoordinator(t);
  const endless = await coordinator.join({ understands });
  const other = await coordinator.join({ understands, offered: answering });
  const piece = Buffer.alloc(8 * MEBIBYTE, ' ');
  for (let sent = 0; sent < 13; sent += 1) endless.socket.send(piece);
  assert.equal((await endless.closed).code, closeCodes.messageInvalid);
  assert.match((await endless.heard('session.refused')).reason, /pieces together/);
  assert.equal((await coordinator.ask('POST', '/v1/executions?wait=20', request)).status, 200);
  assert.equal(other.socket.readyState, other.socket.OPEN);
});
