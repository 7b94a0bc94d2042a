/**
 * Owns what whoever opens an agent's connection can make a coordinator do before it is let in.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentSession, type SessionDeps } from '../../coordinator/agents/agent-session.ts';
import { PROTOCOL_VERSION } from '../../shared/protocol/version.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

test('a proof is looked at once, however often it is given', () => {
  let looks = 0;
  const admit = () => {
    looks += 1;
    return new Promise(() => undefined);
  };
  const deps = { clock: new VirtualClock(), enrolment: { nonce: () => 'n', admit }, refused: () => undefined };
  const closed: string[] = [];
  const session = new AgentSession(
    { send: () => undefined, rest: () => undefined, close: (_code, reason) => void closed.push(reason) },
    deps as unknown as SessionDeps,
    { reportIntervalMs: 1000, leaseTtlMs: 1000 },
  );
  const hello = {
    ...{ type: 'agent.hello', protocol: PROTOCOL_VERSION, release: '', name: 'a', agentId: null, token: null },
    ...{ publicKey: '', architecture: 'x86_64', kernel: '', cores: 1, memoryBytes: 1, pool: 'p', labels: {} },
  };
  session.receive(JSON.stringify(hello));
  for (let times = 0; times < 100; times += 1) {
    session.receive(JSON.stringify({ type: 'agent.proof', signature: 's' }));
  }
  assert.equal(looks, 1, closed.join());
  assert.equal(closed.length, 1);
});
