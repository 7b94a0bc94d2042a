/**
 * Owns the proof of an agent's care for its layers with a real agent process, a real launcher and a real coordinator: a revocation ends what it
 * must and nothing else, prefetches and pins arrive, eviction breaks no running program. Needs root, no registry.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../shared/digest.ts';
import { blobKey } from '../../shared/layers/layer-manifest.ts';
import { describeBytes } from '../../shared/storage/object-store.ts';
import { setStage } from '../support/agent-stage.ts';
import { makeReport } from '../support/lease-results.ts';
import { tarOf } from '../support/tar-pieces.ts';

/** Some wait for what only an agent can bring about: an agent that never does is a failure, not a wait for ever. */
const bounded = { timeout: 120_000 };

const MiB = 1024 ** 2;

type Stage = Awaited<ReturnType<typeof setStage>>;

/** From now on a setup layer holds one file of this size, named by its script, besides the stage's base. */
async function buildSetups({ coordinator }: Stage, bytes: number): Promise<void> {
  const { services, store } = coordinator;
  const buildBase = services.script;
  services.script = async (order) => {
    if (order.kind === 'base') return await buildBase(order);
    const tar = tarOf({ name: `${order.script}.txt`, body: order.script.padEnd(bytes, '.') });
    const blob = zstdCompressSync(tar);
    await store.put(blobKey(digestOf(blob)), blob, describeBytes(blob));
    const layer = {
      buildId: order.buildId,
      blob: { digest: digestOf(blob), bytes: blob.length },
      tar: { digest: digestOf(tar), bytes: tar.length, entries: 1, rules: 1 },
      variables: {},
    };
    const end = { verify: null, materials: [], isNetworkUnreachable: false, isPrivate: false };
    return [{ type: 'finished', endedIn: null, report: makeReport(), layer, ...end }];
  };
}

async function operate({ coordinator }: Stage, verb: string, body: object) {
  const answer = await coordinator.ask('POST', `/v1/cache/${verb}`, body);
  const said = await answer.json();
  assert.ok(answer.ok, JSON.stringify(said));
  return said;
}

const listed = async ({ coordinator }: Stage) => (await (await coordinator.ask('GET', '/v1/cache')).json()).items;

test(
  'a fatal revocation ends a running program as our failure, and the next request runs on what was built anew',
  bounded,
  async (context) => {
    const stage = await setStage(context);
    const agent = await stage.startAgent();
    const running = stage.execute({ run: { script: 'sleep 100' } });
    await agent.logged(({ msg }) => msg === 'lease running');
    const [{ key, digest }] = await listed(stage);
    await operate(stage, 'revoke', { keys: [key], reason: 'a Trojan horse' });
    const spared = await stage.coordinator.ask('GET', '/v1/executions');
    assert.equal(spared.status, 200);
    await operate(stage, 'revoke', { keys: [key], kill: true, reason: 'a Trojan horse' });
    const ended = await running;
    assert.deepEqual([ended.stage, ended.verdict, ended.failure?.code], ['failed', null, 'layer-revoked']);
    assert.match(ended.failure?.detail ?? '', /a Trojan horse.*ask again, and its environment is built anew/);
    assert.equal(ended.attempts, 1, 'what was revoked here is revoked on every agent');
    const again = await stage.execute({ run: { script: 'echo anew' } });
    assert.deepEqual([again.verdict, again.run?.stdout], ['ok', 'anew\n']);
    const holders = async () => (await listed(stage)).flatMap(({ agents }: { agents: string[] }) => agents);
    while ((await holders()).length === 0);
    await operate(stage, 'revoke', { layers: [digest] });
    // It is removed from the agent's disk, not only from use.
    while ((await holders()).length > 0);
    const same = await stage.execute({ run: { script: 'true' } });
    assert.deepEqual(
      [same.stage, same.failure?.code],
      ['failed', 'publication-refused'],
      'the build gives the revoked bytes again',
    );
  },
);

test(
  'a right layer for a wrong request is refused by the agent itself, whoever signed it',
  bounded,
  async (context) => {
    const stage = await setStage(context);
    await buildSetups(stage, 100);
    await stage.startAgent();
    const { services } = stage.coordinator;
    // Key, place, parents and signature are as they should be: the layer alone was built from another script.
    services.signedAs = (spec) => (spec.kind === 'setup' ? { ...spec, script: digestOf('another') } : spec);
    const refused = await stage.execute({ environment: { setup: 'one' }, run: { script: 'cat /one.txt' } });
    assert.deepEqual([refused.stage, refused.verdict, refused.failure?.code], ['failed', null, 'layer-untrusted']);
    assert.match(refused.failure?.detail ?? '', /was built for another request: specification sha256:\w+, not sha256:/);
    services.signedAs = (spec) => spec;
    const right = await stage.execute({ environment: { setup: 'two' }, run: { script: 'head -c 3 /two.txt' } });
    assert.equal(right.run?.stdout, 'two');
  },
);

test('an agent that was away during a revocation knows it before its next lease', bounded, async (context) => {
  const stage = await setStage(context);
  const first = await stage.startAgent();
  await stage.execute({ run: { script: 'true' } });
  await first.end('SIGKILL');
  const [{ key }] = await listed(stage);
  const { trustVersion } = await operate(stage, 'revoke', { keys: [key] });
  const second = await stage.startAgent();
  const told = await second.logged(({ msg }) => msg === 'trust changed');
  assert.ok(Number(told['version']) >= trustVersion);
  const result = await stage.execute({ run: { script: 'true' } });
  assert.equal(result.verdict, 'ok');
  assert.equal(stage.coordinator.services.orders.length, 2);
});

test(
  'a prefetch brings layers to an agent and says how far it is; pinned ones stay when room is needed',
  bounded,
  async (context) => {
    const stage = await setStage(context);
    await buildSetups(stage, 400_000);
    const agent = await stage.startAgent({ LAYER_BYTES_MAX: '1', LAYER_TENANT_PERCENT_MAX: '100' });
    const { id } = await (await stage.coordinator.ask('POST', '/v1/environments', { setup: 'kept' })).json();
    await (await stage.coordinator.ask('GET', `/v1/environments/${id}/events`)).text();
    await operate(stage, 'pin', { environment: id });
    const prefetch = await operate(stage, 'prefetch', { environment: id });
    const events = await stage.coordinator.ask('GET', `/v1/cache/prefetches/${prefetch.id}/events`);
    assert.match(await events.text(), /"state":"done"/);
    const found = await (await stage.coordinator.ask('GET', `/v1/cache/prefetches/${prefetch.id}`)).json();
    assert.deepEqual([found.state, found.agents[0].fraction], ['done', 1]);
    for (;;) {
      const layers = await listed(stage);
      if (layers.every(({ agents }: { agents: string[] }) => agents.length === 1)) break;
    }
    const first = await stage.execute({ environment: { setup: 'kept' }, run: { script: 'head -c 4 /kept.txt' } });
    assert.deepEqual(
      [first.run?.stdout, first.environment?.layers.map(({ origin }) => origin)],
      ['kept', ['local', 'local']],
    );
    assert.equal(await agent.end('SIGTERM'), 0);
  },
);

test('eviction never takes a layer from a running program', bounded, async (context) => {
  const stage = await setStage(context);
  await buildSetups(stage, 400_000);
  // No room for anything: whatever nobody uses goes at once.
  const agent = await stage.startAgent({ LAYER_BYTES_MAX: '1' });
  // The file is open, and another time opened at the end: neither may find it gone.
  const script = 'exec 3< /one.txt; sleep 2; head -c 3 <&3; head -c 3 /one.txt';
  const long = stage.execute({ environment: { setup: 'one' }, run: { script } });
  await agent.logged(({ msg }) => msg === 'lease running');
  const others = ['two', 'three', 'four'];
  for (const setup of others) {
    const result = await stage.execute({ environment: { setup }, run: { script: `head -c 3 /${setup}.txt` } });
    assert.equal(result.run?.stdout, setup.slice(0, 3));
  }
  const result = await long;
  assert.deepEqual([result.verdict, result.run?.stdout], ['ok', 'oneone']);
});

test(
  'a full layer store fails an execution by its reason and keeps nothing; with room the same execution runs',
  bounded,
  async (context) => {
    const stage = await setStage(context, 40 * MiB);
    await buildSetups(stage, 48 * MiB);
    await stage.startAgent();
    const first = await stage.execute({ run: { script: 'true' } });
    const kept = () => readdirSync(join(stage.launcher.folder, 'store')).filter((name) => !name.startsWith('.'));
    assert.equal(first.verdict, 'ok', JSON.stringify(first));
    const before = kept();
    const request = { environment: { setup: 'large' }, run: { script: 'head -c 5 /large.txt' } };
    const failed = await stage.execute(request);
    assert.deepEqual([failed.stage, failed.verdict], ['failed', null], JSON.stringify(failed));
    assert.equal(failed.failure?.code, 'retries-exhausted', JSON.stringify(failed));
    assert.match(
      failed.failure?.detail ?? '',
      /sandbox-failed: .*(disk is full|No space left|Wrote only \d+ of \d+ bytes)/s,
    );
    assert.deepEqual(kept(), before);
    const small = await stage.execute({ run: { script: 'echo others still run' } });
    assert.equal(small.run?.stdout, 'others still run\n', JSON.stringify(small));
    stage.launcher.resizeStore(256 * MiB);
    const result = await stage.execute(request);
    assert.equal(result.run?.stdout, 'large', JSON.stringify(result));
  },
);
