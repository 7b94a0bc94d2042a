/**
 * Owns several coordinators on one PostgreSQL: whoever is asked, whoever has the agents, and when one of them is killed.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type PostgresServer, startPostgresServer } from '../../ops/postgres/private-postgres.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { Problem } from '../support/api-client.ts';
import { Coordinators, simpleRequest, untilOver } from '../support/coordinators.ts';
import { makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';

let postgres: PostgresServer;
before(async () => {
  postgres = await startPostgresServer();
});
after(() => postgres.stop());

/** An agent that completes every offer at once. */
const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

async function startTwo(t: Parameters<Parameters<typeof test>[0] & object>[0], tenants = ['one', 'two']) {
  const coordinators = await Coordinators.prepare(t, { postgres, tenants });
  await coordinators.start();
  await coordinators.start();
  return coordinators;
}

test('whoever is asked, and wherever the agent is, an execution is run and found', async (t) => {
  const coordinators = await startTwo(t);
  const { owner, other } = await coordinators.split('one');
  await coordinators.join(other, willing);
  for (const asked of [owner, other]) {
    const client = coordinators.as('one', asked);
    const waited = await client.post<Execution>('/v1/executions?wait=20', simpleRequest);
    assert.equal(waited.status, 200, JSON.stringify(waited.body));
    assert.equal(waited.body.verdict, 'ok');
    const accepted = await client.post<Execution>('/v1/executions', simpleRequest);
    assert.equal(accepted.status, 202);
    for (const there of [owner, other]) {
      const found = await untilOver(coordinators.as('one', there), accepted.body.id);
      assert.equal(found.verdict, 'ok');
      const placement = await coordinators.as('one', there).get<object>(`/v1/executions/${accepted.body.id}/placement`);
      assert.equal(placement.status, 200);
    }
    const events = await coordinators.as('one', other).events(`/v1/executions/${accepted.body.id}/events`, 'finished');
    assert.equal(events.at(-1)?.event, 'finished');
  }
  const strange = await coordinators.as('two', other).get<Problem>('/v1/executions/exec_aaaaaaaaaaaaaaaaaaaaaaaaaa');
  assert.equal(strange.status, 404);
});
