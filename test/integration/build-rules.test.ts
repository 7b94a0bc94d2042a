/**
 * Owns the proof that the operator's rules of the build network reach every order, that a tenant's day is bounded at the API's edge, and
 * that a policy file that can't be used ends the start. Real HTTP, SQLite and file; the builder is a fake that says what it fetched.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BuildEvent } from '../../shared/model/build.ts';
import { temporaryFolder } from '../support/captured.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { builds } from '../support/fake-build-services.ts';

const setup = (word: string) => ({ environment: { setup: `echo ${word}` }, run: { script: 'true' } });

test('a used up day is answered by 429 before anything is built, and a build gets what is left of it', async (t) => {
  const coordinator = await startCoordinator(t, { tenantEgressBytesMax: 10 });
  await coordinator.join();
  const { services } = coordinator;
  const fetched: BuildEvent = { type: 'fetched', requests: 1, bytes: 10 };
  services.script = async (order) => [fetched, ...(await builds(order))];
  const first = await coordinator.ask('POST', '/v1/environments', setup('one').environment);
  assert.equal(first.status, 202);
  const { id } = await first.json();
  await (await coordinator.ask('GET', `/v1/environments/${id}/events`)).text();
  assert.deepEqual(
    services.orders.map(({ kind, egress, isStoreUsed }) => [kind, egress.quotas.bytesMax === 10, isStoreUsed]),
    [
      ['base', false, true],
      ['setup', true, true],
    ],
  );
  const refused = await coordinator.ask('POST', '/v1/executions?wait=true', setup('two'));
  assert.equal(refused.status, 429);
  const problem = await refused.json();
  assert.deepEqual([problem.code, services.orders.length], ['quota-exceeded', 2]);
  const seconds = Number(refused.headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= 86_400, String(seconds));
  const again = await coordinator.ask('POST', '/v1/environments', setup('one').environment);
  assert.equal(again.status, 200, 'what is built already can be used');
});

test("every order carries the rules of the operator's file", async (t) => {
  const path = join(temporaryFolder(t), 'policy.json');
  const policy = { name: 'campus', denyHosts: ['*.tracker.example'], quotas: { hostsMax: 3 } };
  writeFileSync(path, JSON.stringify(policy));
  const coordinator = await startCoordinator(t, { egressPolicyFile: path });
  const { id } = await (await coordinator.ask('POST', '/v1/environments', {})).json();
  await (await coordinator.ask('GET', `/v1/environments/${id}/events`)).text();
  const [order] = coordinator.services.orders;
  assert.deepEqual(
    [order?.egress.policy.name, order?.egress.policy.denyHosts, order?.egress.quotas.hostsMax],
    ['campus', ['*.tracker.example'], 3],
  );
});

test('a policy file that can not be used ends the start with 78 and all that is wrong', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'policy.json');
  writeFileSync(path, JSON.stringify({ name: 'x', denyHost: [], quotas: { bytesMax: -1 } }));
  const main = fileURLToPath(new URL('../../coordinator/main.ts', import.meta.url));
  const coordinator = spawn(process.execPath, [main], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ENVICUTOR_STATE_DIRECTORY: folder, ENVICUTOR_EGRESS_POLICY_FILE: path, ENVICUTOR_LISTEN_PORT: '0' },
  });
  const said = text(coordinator.stderr);
  const [exitCode] = await once(coordinator, 'exit');
  assert.equal(exitCode, 78);
  assert.match(await said, /\/denyHost is not known; the fields are/);
  assert.match(await said, /\/quotas\/bytesMax/);
});
