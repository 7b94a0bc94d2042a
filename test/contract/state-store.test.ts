/**
 * Owns what every state store must do, against each implementation in turn. Nothing here knows an engine.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { SHARDS } from '../../coordinator/executions/shard-store.ts';
import type { AcceptedExecution } from '../../coordinator/executions/state-store.ts';
import { digestOf } from '../../shared/digest.ts';
import type { EnvironmentId } from '../../shared/ids.ts';
import type { Environment } from '../../shared/model/environment.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { LayerManifest } from '../../shared/model/manifest.ts';
import { specOf } from '../support/layer-specs.ts';
import { stateEngines, takeLeases } from '../support/state-engines.ts';

const everyShard = Array.from({ length: SHARDS }, (_, shard) => shard);
const execution = (id: string, stage: Execution['stage'] = 'queued') => ({ id: `exec_${id}`, stage }) as Execution;
const request = { environment: 'env_00000000', run: { script: 'true' } };
const entry = (id: string, tenantId = 'one') => ({ tenantId, answer: execution(id), request, idempotency: null });
const key = (ttlMs: number) => ({ key: 'k', bodyDigest: digestOf('body'), ttlMs });
const agent = (id: string) => ({
  id: `agent_${id}` as const,
  name: 'a',
  publicKey: `key-${id}`,
  pool: 'default',
  enrolledAtMs: 5,
  isDraining: false,
});

for (const [name, createEngine] of Object.entries(stateEngines)) {
  describe(name, async () => {
    const engine = await createEngine();
    let store = await engine.open();
    const leaseOf = await takeLeases(store, 'first');
    after(async () => {
      await store.close();
      await engine.end();
    });
    const reopen = async () => {
      await store.close();
      store = await engine.open();
    };
    const accept = (accepted: AcceptedExecution) => store.executions.accept(accepted, leaseOf(accepted.tenantId));
    const finish = (answer: Execution, tenantId = 'one') => store.executions.finish(answer, leaseOf(tenantId));
    const unfinished = () => store.executions.unfinished(everyShard);

    test('what was accepted and has no result is unfinished, also after a restart', async () => {
      await Promise.all(['a', 'b', 'c'].map((id) => accept(entry(id))));
      await finish(execution('b', 'finished'));
      await reopen();
      const left = await unfinished();
      assert.deepEqual(
        left.map(({ answer }) => answer.id),
        ['exec_a', 'exec_c'],
      );
      assert.deepEqual(left[0], { tenantId: 'one', answer: execution('a'), request });
      assert.equal((await store.executions.get('one', 'exec_b'))?.stage, 'finished');
    });

    test('executions are listed newest first, page by page, and only to their tenant', async () => {
      await accept(entry('d', 'two'));
      const first = await store.executions.list('one', null, 2);
      assert.deepEqual(
        first.items.map(({ id }) => id),
        ['exec_c', 'exec_b'],
      );
      const second = await store.executions.list('one', first.next, 2);
      assert.deepEqual(
        second.items.map(({ id }) => id),
        ['exec_a'],
      );
      assert.equal(second.next, null);
      assert.equal(await store.executions.get('two', 'exec_a'), null);
      assert.deepEqual(
        await Promise.all(['exec_a', 'exec_d', 'exec_none'].map((id) => store.executions.tenantOf(id))),
        ['one', 'two', null],
      );
    });

    test('a page has fewer executions when they are large, but one, and all pages together have all', async () => {
      const megabytes = [1, 9, 6, 6, 6, 40, 40, 1];
      for (const [index, size] of megabytes.entries()) {
        await accept(entry(`large${index}`, 'large'));
        const run = { stdout: 'é'.repeat(size * 512 * 1024) } as Execution['run'];
        await finish({ ...execution(`large${index}`, 'finished'), run }, 'large');
      }
      const pages: number[][] = [];
      let cursor: number | null = null;
      do {
        const page: Awaited<ReturnType<typeof store.executions.list>> = await store.executions.list('large', cursor, 7);
        pages.push(page.items.map(({ run }) => (run?.stdout.length ?? 0) / (512 * 1024)));
        cursor = page.next;
      } while (cursor !== null);
      assert.deepEqual(pages, [[1], [40], [40], [6, 6], [6, 9], [1]]);
    });

    test('an idempotency key is taken once for each tenant until it expires', async () => {
      const keyed = (id: string, tenantId: string, ttlMs = 600_000) => ({
        ...entry(id, tenantId),
        idempotency: key(ttlMs),
      });
      const both = [accept(keyed('k1', 'one')), accept(keyed('k2', 'one'))];
      assert.deepEqual(await Promise.all(both), [null, { ids: ['exec_k1'], bodyDigest: digestOf('body') }]);
      assert.equal(await store.executions.get('one', 'exec_k2'), null);
      assert.deepEqual(await store.executions.findKey('one', 'k'), {
        ids: ['exec_k1'],
        bodyDigest: digestOf('body'),
      });
      assert.equal(await store.executions.findKey('two', 'k'), null);
      // One whose time is over at once: by the store's own time, whoever asks.
      assert.equal(await accept(keyed('k3', 'two', 0)), null);
      assert.equal(await store.executions.findKey('two', 'k'), null);
      assert.equal(await accept(keyed('k4', 'two')), null);
      assert.equal((await accept(keyed('k5', 'two')))?.ids[0], 'exec_k4');
    });

    test('writes of one turn keep their order: accepted, then finished, once', async () => {
      const done = { ...execution('o', 'finished'), steps: [] } as Execution;
      const writes = [accept(entry('o')), finish(done), finish(execution('o', 'cancelled'))];
      assert.deepEqual(await Promise.all(writes), [null, undefined, undefined]);
      assert.deepEqual(await store.executions.get('one', 'exec_o'), done, 'the first final answer stays');
      await finish(execution('o', 'failed'));
      await finish(execution('unknown', 'failed'));
      await reopen();
      assert.deepEqual(await store.executions.get('one', 'exec_o'), done);
    });

    test('an id that is taken is refused, and its neighbours are not', async () => {
      const writes = await Promise.allSettled(['n1', 'a', 'n2'].map((id) => accept(entry(id))));
      assert.deepEqual(
        writes.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
    });

    test('any text survives: zeros, halves of characters, quotes and backslashes, in bodies, tenants and keys', async () => {
      const odd = `\u0000 \ud800 \x1a0000 \\u0000 " ' {} , 😀`;
      const tenantId = 'odd \x1a " \\ \' {} 😀';
      const answer = { ...execution('odd', 'queued'), stdout: odd } as unknown as Execution;
      const idempotency = { ...key(600_000), key: odd };
      const strange = { tenantId, answer, request: { ...request, run: { script: odd } }, idempotency };
      const writes = [accept(entry('n3')), accept(strange), accept(entry('n4'))];
      assert.deepEqual(await Promise.all(writes), [null, null, null]);
      const again = await accept({ ...strange, answer: execution('odd2') });
      assert.deepEqual(again?.ids, ['exec_odd']);
      await reopen();
      const { idempotency: _, ...left } = strange;
      assert.deepEqual(
        (await unfinished()).find((each) => each.tenantId === tenantId),
        left,
      );
      await finish({ ...answer, stage: 'finished' }, tenantId);
      assert.deepEqual(await store.executions.get(tenantId, 'exec_odd'), { ...answer, stage: 'finished' });
    });

    test('what has ended elsewhere is recorded once, never over an execution of ours, and not without the lease', async () => {
      const record = (id: string, tenantId = 'one') =>
        store.executions.record(tenantId, execution(id, 'finished'), leaseOf(tenantId));
      assert.deepEqual([await record('site'), await record('site')], [true, true]);
      await reopen();
      assert.equal(await record('site'), true);
      assert.equal((await store.executions.get('one', 'exec_site'))?.stage, 'finished');
      const listed = (await store.executions.list('one', null, 100)).items.filter(({ id }) => id === 'exec_site');
      assert.equal(listed.length, 1);
      assert.ok(!(await unfinished()).some(({ answer }) => answer.id === 'exec_site'));
      assert.equal(await record('site', 'two'), false);
      assert.equal(await store.executions.get('two', 'exec_site'), null);
      await accept(entry('running'));
      assert.equal(await record('running'), false);
      assert.equal((await store.executions.get('one', 'exec_running'))?.stage, 'queued');
      await finish(execution('running', 'cancelled'));
      assert.equal(await record('running'), true);
      assert.equal((await store.executions.get('one', 'exec_running'))?.stage, 'cancelled');
      const { shard, epoch } = leaseOf('one');
      const late = { shard, epoch: epoch - 1 };
      const moved = store.executions.record('one', execution('late', 'finished'), late);
      await assert.rejects(moved, { code: 'shard-moved' });
      assert.equal(await store.executions.get('one', 'exec_late'), null);
    });

    test('an environment is replaced by its newer row and keeps its place', async () => {
      const row = (id: string, state: Environment['state'], manifests: string[] = []) => ({
        tenantId: 'one',
        id: `env_${id}` as EnvironmentId,
        request: { setup: id },
        answer: { id: `env_${id}`, state } as Environment,
        manifests,
        specs: manifests.map((name) => specOf(name)),
        fingerprint: 'f',
      });
      await store.environments.save(row('a', 'queued'));
      await store.environments.save(row('b', 'building'));
      await store.environments.save(row('a', 'ready', ['m1', 'm2']));
      assert.deepEqual(await store.environments.get('one', 'env_a'), row('a', 'ready', ['m1', 'm2']));
      assert.equal(await store.environments.get('two', 'env_a'), null);
      assert.deepEqual(
        (await store.environments.unfinished(everyShard)).map(({ id }) => id),
        ['env_b'],
      );
      assert.deepEqual(
        (await store.environments.list('one', null, 5)).items.map(({ id }) => id),
        ['env_b', 'env_a'],
      );
    });

    test('a token lets in one agent before it expires, and a known key never twice', async () => {
      const token = digestOf('token');
      await store.agents.addToken(token, 100, null);
      assert.equal(await store.agents.enrol(digestOf('other'), agent('x'), 50), 'token-unknown');
      assert.deepEqual(await store.agents.enrol(token, agent('x'), 50), agent('x'));
      assert.equal(await store.agents.enrol(token, agent('y'), 50), 'token-unknown');
      await store.agents.addToken(digestOf('raced'), 100, null);
      const raced = ['r', 's'].map((id) => store.agents.enrol(digestOf('raced'), agent(id), 50));
      const won = (await Promise.all(raced)).filter((outcome) => outcome !== 'token-unknown');
      assert.equal(won.length, 1, 'one of them, whichever');
      await store.agents.addToken(digestOf('late'), 100, null);
      assert.equal(await store.agents.enrol(digestOf('late'), agent('z'), 100), 'token-unknown');
      await reopen();
      const known = (await store.agents.list()).map(({ id }) => id);
      assert.deepEqual(
        known.sort(),
        [...won.map((outcome) => (typeof outcome === 'string' ? outcome : outcome.id)), 'agent_x'].sort(),
      );
      assert.deepEqual(await store.agents.findByKey('key-x'), agent('x'));
      await store.agents.addToken(digestOf('second'), 100, null);
      const twin = { ...agent('w'), publicKey: 'key-x' };
      await assert.rejects(store.agents.enrol(digestOf('second'), twin, 50), { code: 'state-store-unavailable' });
      assert.deepEqual(
        await store.agents.enrol(digestOf('second'), agent('w'), 50),
        agent('w'),
        'the token was not used up',
      );
    });

    test('a pool keeps the owner that it was given, also when two name one at once, and its newest policy', async () => {
      const pool = (name: string, owner: string | null, tenants: string[] | null = null) => ({
        ...{ name, owner, policy: tenants === null ? null : { owner: owner ?? 'operator', tenants } },
      });
      assert.deepEqual(await store.pools.list(), [pool('default', null)]);
      assert.equal(await store.pools.save(pool('lab', null)), true);
      const claims = [store.pools.save(pool('lab', 'one')), store.pools.save(pool('lab', 'two'))];
      const [isOnes, isTwos] = await Promise.all(claims);
      assert.notEqual(isOnes, isTwos, 'one of them, whichever');
      const owner = isOnes ? 'one' : 'two';
      assert.equal(await store.pools.save(pool('lab', null)), false, 'an owner is not taken away');
      assert.equal(await store.pools.save(pool('lab', owner, ['*'])), true);
      assert.equal(await store.pools.save(pool('arcade', 'two', ['one'])), true);
      await reopen();
      assert.deepEqual(await store.pools.list(), [
        pool('arcade', 'two', ['one']),
        pool('default', null),
        pool('lab', owner, ['*']),
      ]);
      assert.equal(await store.pools.save(pool('lab', owner)), true);
      assert.deepEqual((await store.pools.list()).at(-1), pool('lab', owner));
    });

    test("a token of a pool lets its agent into that pool only, and one of none into no tenant's", async () => {
      await store.pools.save({ name: 'site', owner: 'one', policy: null });
      const says = (id: string, pool: string) => ({ ...agent(id), pool });
      await store.agents.addToken(digestOf('bound'), 100, 'site');
      await store.agents.addToken(digestOf('free'), 100, null);
      assert.equal(await store.agents.enrol(digestOf('free'), says('p1', 'site'), 50), 'pool-owned');
      assert.deepEqual(await store.agents.enrol(digestOf('free'), says('p2', 'hall'), 50), says('p2', 'hall'));
      assert.deepEqual(await store.agents.enrol(digestOf('bound'), says('p3', 'hall'), 50), says('p3', 'site'));
      assert.equal(await store.agents.enrol(digestOf('bound'), says('p4', 'site'), 50), 'token-unknown');
      await reopen();
      assert.equal((await store.agents.get('agent_p3'))?.pool, 'site');
      assert.equal(await store.agents.get('agent_p1'), null);
    });

    test('of one pool there are no more unused tokens than allowed, and whoever comes too late hears when the first is over', async () => {
      const add = (name: string, expiresAtMs: number, pool: string | null, nowMs = 0) =>
        store.agents.addToken(digestOf(name), expiresAtMs, pool, { nowMs, tokensMax: 2 });
      const many = await Promise.all(['a', 'b', 'c'].map((name) => add(`many ${name}`, 200, 'crowd')));
      assert.deepEqual(
        many.filter((first) => first !== null),
        [200],
        'also when they come together',
      );
      assert.equal(await add('elsewhere', 300, 'other crowd'), null);
      assert.equal(await add('later', 500, 'crowd', 200), null, 'what is over counts no more');
      assert.equal(await add('last', 400, 'crowd', 200), null);
      assert.equal(await add('more', 600, 'crowd', 200), 400);
    });

    test("there are no more agents than allowed, in all and in a tenant's pool, and the token stays good", async () => {
      const { length: known } = await store.agents.list();
      await store.pools.save({ name: 'small', owner: 'one', policy: null });
      for (const name of ['s1', 's2', 's3']) await store.agents.addToken(digestOf(name), 900, 'small');
      const bounds = { agentsMax: known + 2, poolAgentsMax: 1 };
      const enrol = (name: string, given = bounds) => store.agents.enrol(digestOf(name), agent(name), 700, given);
      const both = await Promise.all([enrol('s1'), enrol('s2')]);
      assert.equal(both.filter((each) => each === 'pool-full').length, 1, 'also when they come together');
      const left = both[0] === 'pool-full' ? 's1' : 's2';
      assert.equal(await enrol(left, { agentsMax: known + 1, poolAgentsMax: 9 }), 'fleet-full');
      assert.deepEqual(await enrol(left, { agentsMax: known + 2, poolAgentsMax: 2 }), {
        ...agent(left),
        pool: 'small',
      });
      assert.equal(await enrol('s3', { agentsMax: known + 2, poolAgentsMax: 9 }), 'fleet-full');
    });

    test('draining is remembered; an unknown agent is not drained', async () => {
      assert.equal(await store.agents.setDraining('agent_x', true), true);
      assert.equal((await store.agents.get('agent_x'))?.isDraining, true);
      assert.equal(await store.agents.setDraining('agent_q', true), false);
    });

    test('what builds used is summed for each tenant and day, also after a restart', async () => {
      const used = { egressBytes: 5, egressRequests: 2, buildMs: 1500 };
      const adds = [1, 2, 3].map(() => store.buildUsage.add('one', '2026-11-28', used));
      await Promise.all([...adds, store.buildUsage.add('two', '2026-11-28', used)]);
      await store.buildUsage.add('one', '2026-11-29', used);
      await reopen();
      const sum = { egressBytes: 15, egressRequests: 6, buildMs: 4500 };
      assert.deepEqual(await store.buildUsage.get('one', '2026-11-28'), sum);
      assert.deepEqual(await store.buildUsage.get('one', '2026-11-29'), used);
      assert.deepEqual(await store.buildUsage.get('three', '2026-11-28'), {
        egressBytes: 0,
        egressRequests: 0,
        buildMs: 0,
      });
    });

    test('a closed store says so', async () => {
      await store.close();
      await assert.rejects(store.check(), { code: 'state-store-unavailable' });
      store = await engine.open();
      await store.check();
    });

    test('revocations are for ever, in their order, and become fatal but never less so', async () => {
      const revoked = {
        kind: 'layer',
        value: 'sha256:1',
        isFatal: false,
        reason: 'r',
        revokedAt: '2026-01-01T00:00:00Z',
      } as const;
      await store.cache.revoke([revoked, { ...revoked, value: 'sha256:2', isFatal: true }]);
      await store.cache.revoke([
        { ...revoked, isFatal: true, reason: 'later' },
        { ...revoked, value: 'sha256:2' },
      ]);
      await reopen();
      assert.deepEqual(await store.cache.revocations(), [
        { ...revoked, isFatal: true },
        { ...revoked, value: 'sha256:2', isFatal: true },
      ]);
    });

    test('layers are recorded once, listed newest first, and ordered by their last use', async () => {
      const layer = (name: string, lastUsedAtMs: number) => {
        const manifest = { kind: 'base', tar: { digest: `sha256:${name}` } } as never as LayerManifest;
        return { objectKey: `manifests/shared/${name}`, manifest, lastUsedAtMs };
      };
      const all = [layer('a', 30), layer('b', 10), layer('c', 20)];
      for (const one of all) await store.cache.record(one);
      await store.cache.record({ ...layer('a', 99) });
      await store.cache.used(['sha256:b', 'sha256:unknown'], 40);
      await store.cache.used(['sha256:c'], 5);
      await reopen();
      const first = await store.cache.layers(null, 2);
      const second = await store.cache.layers(first.next, 2);
      assert.deepEqual(
        [...first.items, ...second.items].map(({ objectKey, lastUsedAtMs }) => [objectKey.at(-1), lastUsedAtMs]),
        [
          ['c', 20],
          ['b', 40],
          ['a', 30],
        ],
      );
      assert.equal(second.next, null);
      const unused = await store.cache.unused(40, 10);
      assert.deepEqual(
        unused.map(({ objectKey }) => objectKey.at(-1)),
        ['c', 'a'],
      );
      assert.deepEqual((await store.cache.layersOf('sha256:a')).length, 1);
      await store.cache.forget(all.map(({ objectKey }) => objectKey));
      assert.deepEqual((await store.cache.layers(null, 2)).items, []);
    });

    test('pins are of one agent or of all, and go by agent or everywhere', async () => {
      const pin = (digest: string, agentId: string | null = null) => ({ digest, agentId });
      await store.cache.pin([pin('a'), pin('a', 'one'), pin('b', 'one'), pin('b', 'one'), pin('b', 'two')]);
      await store.cache.unpin([pin('b', 'two'), pin('c')]);
      await reopen();
      assert.deepEqual(await store.cache.pins(), [pin('a'), pin('a', 'one'), pin('b', 'one')]);
      await store.cache.unpin([pin('a')]);
      assert.deepEqual(await store.cache.pins(), [pin('b', 'one')]);
    });
  });
}
