/**
 * Owns the cases about the shared cache: an environment is built once, found again by others, and survives the death of an agent.
 * They count: builds by the coordinator's metric, transfers by the origin of each layer.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Execution } from '../../../shared/model/execution.ts';
import type { Instance } from '../../support/instance.ts';
import { python } from './environments.ts';

const BUILDS = 'envicutor_build_seconds_count{kind="dependencies",outcome="built"}';

/** Registers the cases. */
export function cacheCases(instance: Instance): void {
  const environment = python('six==1.16.0');
  const run = { script: 'python3 -c "import six; print(six.__version__)"' };

  test('the same environment is not built again, and its layers are local the second time', async () => {
    await instance.api.execute({ environment, run });
    const before = await instance.api.metric(BUILDS);
    const again = await instance.api.execute({ environment, run });
    assert.equal(again.run?.stdout, '1.16.0\n', JSON.stringify(again));
    assert.equal(await instance.api.metric(BUILDS), before);
    assert.deepEqual(
      again.environment?.layers.map((layer) => layer.origin),
      ['local', 'local', 'local'],
    );
    assert.equal(again.timing.buildMs, 0);
    const byId = await instance.api.execute({ environment: again.environment?.id, run });
    assert.equal(byId.run?.stdout, '1.16.0\n');
  });

  test('two requests for one new environment at the same time share one build', async () => {
    const fresh = { setup: 'echo "once $(date +%N)" > /environment/stamp' };
    const script = { script: 'cat /environment/stamp' };
    const executions = await Promise.all(
      [1, 2, 3].map(() => instance.api.execute({ environment: fresh, run: script })),
    );
    const stamps = new Set(executions.map((execution) => execution.run?.stdout));
    assert.equal(stamps.size, 1, JSON.stringify([...stamps]));
  });

  test('an environment that an operator promoted is used by another tenant without a build', async () => {
    const mine = { setup: 'echo shared > /environment/word' };
    const tenants = await instance.tenants();
    const first = await tenants.a.execute({ environment: mine, run: { script: 'cat /environment/word' } });
    assert.equal(first.environment?.scope, 'tenant', JSON.stringify(first));
    const before = await tenants.a.metric('envicutor_build_seconds_count{kind="setup",outcome="built"}');
    const promoted = await tenants.operator.post('/v1/cache/promote', {
      environment: first.environment?.id,
      tenant: 'a',
    });
    assert.equal(promoted.status, 200, JSON.stringify(promoted.body));
    const second = await tenants.b.execute({ environment: mine, run: { script: 'cat /environment/word' } });
    assert.equal(second.run?.stdout, 'shared\n', JSON.stringify(second));
    assert.equal(second.environment?.scope, 'shared');
    assert.equal(await tenants.a.metric('envicutor_build_seconds_count{kind="setup",outcome="built"}'), before);
  });

  test('an environment is used by another tenant once a second build from the network was the same', async () => {
    const environment = { setup: 'apt-get update && apt-get install -y --no-install-recommends make' };
    const run = { script: 'make --version' };
    const tenants = await instance.tenants();
    const { environment: mine } = await tenants.a.execute({ environment, run });
    assert.ok(mine !== null && mine.scope === 'tenant', JSON.stringify(mine));
    while ((await tenants.a.environment(mine.id)).scope !== 'shared') {
      assert.equal(await tenants.a.metric('envicutor_layer_reproductions_total{outcome="refused"}'), 0);
    }
    const theirs = await tenants.b.execute({ environment, run });
    assert.match(theirs.run?.stdout ?? '', /^GNU Make/, JSON.stringify(theirs));
    assert.equal(theirs.environment?.scope, 'shared');
    assert.deepEqual(
      theirs.environment?.layers.map(({ digest }) => digest),
      mine.layers.map(({ digest }) => digest),
    );
  });

  test('a second agent pulls the layers from the store instead of building', async () => {
    const before = await instance.api.metric(BUILDS);
    const second = await instance.startSecondAgent();
    const first = await instance.firstAgent();
    await instance.api.post(`/v1/agents/${first.id}/drain`, {});
    const fetched = await instance.api.execute({ environment, run });
    await instance.api.post(`/v1/agents/${first.id}/resume`, {});
    assert.equal(fetched.run?.stdout, '1.16.0\n', JSON.stringify(fetched));
    assert.equal(fetched.agent?.name, second.name);
    assert.deepEqual(
      fetched.environment?.layers.map((layer) => layer.origin),
      ['fetched', 'fetched', 'fetched'],
    );
    assert.equal(await instance.api.metric(BUILDS), before);
    await second.stop();
  });

  test('an agent that is killed and restarted still has its layers', async () => {
    await instance.api.execute({ environment, run });
    await instance.killAgent();
    const after = await instance.api.execute({ environment, run });
    assert.deepEqual(
      after.environment?.layers.map((layer) => layer.origin),
      ['local', 'local', 'local'],
      JSON.stringify(after),
    );
  });

  for (const program of ['builder', 'verifier'] as const) {
    test(`a ${program} that is killed during a build loses nothing`, async () => {
      const interrupted = { setup: `echo began ${program}; sleep 2; echo whole > /environment/word` };
      const posted = await instance.api.post<{ id: string }>('/v1/environments', interrupted);
      await instance.api.events(`/v1/environments/${posted.body.id}/events`, 'build.log');
      instance.kill(program);
      const execution = await instance.api.execute({
        environment: interrupted,
        run: { script: 'cat /environment/word' },
      });
      assert.equal(execution.run?.stdout, 'whole\n', JSON.stringify(execution));
    });
  }

  test('an accepted asynchronous execution survives the death of its coordinator', async () => {
    const accepted = await instance.api.post<Execution>('/v1/executions', {
      environment: {},
      run: { script: 'sleep 1; echo still here' },
    });
    assert.equal(accepted.status, 202);
    instance.kill('coordinator');
    const execution = await instance.untilFinished(accepted.body.id);
    assert.deepEqual([execution.stage, execution.run?.stdout], ['finished', 'still here\n'], JSON.stringify(execution));
  });
}
