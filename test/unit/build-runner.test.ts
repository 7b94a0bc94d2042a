/**
 * Owns the proof of a build's straight line: what is launched, what is told, what is kept and what is not.
 * The sandbox is a fake; the real one is in test/integration/builder.test.ts.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { STAGED_FILE } from '../../coordinator/builder/layer-capture.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import type { ArtefactRecord, EgressRecord } from '../../shared/model/egress.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import type { LaunchListener, LaunchReport, LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { buildOrder, runnerOn } from '../support/build-orders.ts';
import { temporaryFolder } from '../support/captured.ts';
import { FakeSandbox, launchReport } from '../support/fake-sandbox.ts';
import { createTestKey } from '../support/signed-layers.ts';
import { tarOf } from '../support/tar-pieces.ts';
import { trustState } from '../support/trust-states.ts';

const summary: EgressRecord = {
  kind: 'summary',
  requests: 0,
  artefacts: 0,
  refusals: 0,
  bytes: 0,
  connections: 0,
  hosts: 0,
};
const lines = (...records: readonly EgressRecord[]): Buffer =>
  Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
const raw = tarOf({ name: './usr/', type: '5' }, { name: './usr/tool', body: 'tool', mode: 0o755 });

interface Script {
  readonly report?: Partial<LaunchReport>;
  readonly stdout?: readonly string[];
  readonly records?: readonly EgressRecord[];
  readonly raw?: Buffer;
  readonly capture?: Partial<LaunchReport>;
}

/** A sandbox in which the build's script does this, and tar then finds `raw`. */
function sandboxDoing(script: Script): FakeSandbox & { store: never } {
  const act = (spec: LaunchSpec, listener: LaunchListener): LaunchReport => {
    if (spec.profile === 'host') {
      void listener.stdout?.(script.raw ?? raw);
      return launchReport(script.capture);
    }
    for (const text of script.stdout ?? []) void listener.stdout?.(Buffer.from(text));
    void listener.network?.(lines(...(script.records ?? [summary])));
    if (spec.profile === 'bootstrap') void listener.stdout?.(script.raw ?? raw);
    return launchReport(script.report);
  };
  return Object.assign(new FakeSandbox(act), { store: undefined as never });
}

const never = new AbortController().signal;

test('a script that succeeds becomes a staged layer, and its writable layer is let go', async (context) => {
  const sandbox = sandboxDoing({ stdout: ['hel', 'lo\n'] });
  const { runner, emit, said, staged } = runnerOn(sandbox, temporaryFolder(context));
  const order = buildOrder({
    variables: { LEVEL: '3' },
    secrets: { TOKEN: 'hunter22' },
    files: [{ path: 'a', content: 'x' }],
  });
  const finished = await runner.run(order, emit, never);
  assert.equal(finished.report.stdout, 'hello\n');
  assert.deepEqual([finished.endedIn, finished.layer?.tar.entries, finished.isPrivate], [null, 2, true]);
  assert.deepEqual(staged(), ['build_00000000']);
  const [script, capture] = sandbox.launched;
  assert.equal(script?.directory, '/environment');
  assert.deepEqual([script?.environment['TOKEN'], script?.environment['LEVEL']], ['hunter22', '3']);
  assert.deepEqual(
    script?.files.map(({ path }) => path),
    ['.envicutor/variables', 'a'],
  );
  assert.ok(script?.egress !== null && script?.isKept);
  assert.deepEqual([capture?.profile, capture?.capture, capture?.egress], ['host', { launch: 1n }, null]);
  assert.deepEqual(sandbox.released, [1n]);
  const phases = said.filter((event) => event.type === 'phase').map(({ phase }) => phase);
  assert.deepEqual(phases, ['fetching-parents', 'running', 'capturing']);
});

test('a script that fails is told with its Report, and nothing of it is captured or kept', async (context) => {
  const sandbox = sandboxDoing({ report: { exitCode: 3 } });
  const { runner, emit, staged } = runnerOn(sandbox, temporaryFolder(context));
  const finished = await runner.run(buildOrder({ kind: 'dependencies' }), emit, never);
  assert.deepEqual([finished.report.verdict, finished.endedIn, finished.layer], ['nonzero-exit', 'dependencies', null]);
  assert.equal(sandbox.launched.length, 1);
  assert.deepEqual(sandbox.released, [1n]);
  assert.deepEqual(staged(), []);
});

test('what can not be captured breaks the build and leaves nothing', async (context) => {
  const climbing = tarOf({ name: '../x' });
  const cases = [
    { code: 'layer-refused', script: { raw: climbing } },
    { code: 'build-failed', script: { raw: raw.subarray(0, 600) } },
    { code: 'build-failed', script: { capture: { exitCode: 2 } } },
  ];
  for (const { code, script } of cases) {
    const sandbox = sandboxDoing(script);
    const { runner, emit, staged } = runnerOn(sandbox, temporaryFolder(context));
    await assert.rejects(runner.run(buildOrder(), emit, never), { code });
    assert.deepEqual(sandbox.released, [1n]);
    assert.deepEqual(staged(), []);
  }
});

test('an unreachable registry is flagged, also when the script says that all is well', async (context) => {
  const refusal: EgressRecord = {
    kind: 'refusal',
    url: 'http://a/',
    code: 'upstream-unreachable',
    sentence: 'not now',
  };
  const { runner, emit, said } = runnerOn(sandboxDoing({ records: [refusal, summary] }), temporaryFolder(context));
  const finished = await runner.run(buildOrder(), emit, never);
  assert.deepEqual([finished.report.verdict, finished.isNetworkUnreachable], ['ok', true]);
  assert.deepEqual(
    said.find((event) => event.type === 'log' && event.stream === 'network'),
    {
      type: 'log',
      stream: 'network',
      text: 'http://a/: not now\n',
    },
  );
});

test('credentials that the proxy saw make a layer private; a proxy that did not end in order makes none', async (context) => {
  const artefact: ArtefactRecord = {
    kind: 'artefact', url: 'https://a/b', method: 'GET', httpCode: 200, sha256: '0'.repeat(64), bytes: 1, contentEncoding: null,
    location: null, commits: [], isWithCredentials: true, isComplete: true, source: 'upstream', mirror: null,
  }; // biome-ignore format: a record
  const folder = temporaryFolder(context);
  const first = runnerOn(sandboxDoing({ records: [artefact, summary] }), folder);
  const mark = digestOf('one tenant');
  const finished = await first.runner.run(buildOrder({ mark }), first.emit, never);
  assert.deepEqual([finished.isPrivate, finished.materials], [true, [artefact, summary]]);
  const staged = readFileSync(join(folder, finished.layer?.buildId ?? '', STAGED_FILE));
  assert.ok(zstdDecompressSync(staged).includes(mark), "so that its bytes are nobody else's");
  await first.staging.remove(finished.layer?.buildId ?? '');
  const second = runnerOn(sandboxDoing({ records: [artefact] }), folder);
  await assert.rejects(second.runner.run(buildOrder(), second.emit, never), /incomplete/);
  assert.deepEqual(second.staged(), []);
});

test('a proxy that was not needed before the script ended let nothing through; one that served and fell silent did', async (context) => {
  const folder = temporaryFolder(context);
  const idle = runnerOn(sandboxDoing({ records: [] }), folder);
  assert.deepEqual((await idle.runner.run(buildOrder(), idle.emit, never)).materials, []);
  const serving: EgressRecord = { kind: 'note', code: 'serving', sentence: 'from now on' };
  const silent = runnerOn(sandboxDoing({ records: [serving] }), folder);
  await assert.rejects(silent.runner.run(buildOrder(), silent.emit, never), /incomplete/);
  const ended = runnerOn(sandboxDoing({ records: [serving, summary] }), folder);
  assert.deepEqual((await ended.runner.run(buildOrder(), ended.emit, never)).materials, [summary]);
});

test('a script that went on for long without a proxy has no verdict, however it ended', async (context) => {
  for (const exitCode of [0, 100]) {
    const sandbox = sandboxDoing({ records: [], report: { exitCode, wallTimeMs: 20_000 } });
    const { runner, emit, staged } = runnerOn(sandbox, temporaryFolder(context));
    await assert.rejects(runner.run(buildOrder(), emit, never), /proxy did not start/);
    assert.deepEqual([sandbox.released, staged()], [[1n], []]);
  }
});

test('a secret is in no event and no Report, wherever the chunks of the output fall', async (context) => {
  const stdout = ['token is hun', 'ter22!\nand ag', 'ain hunter2', '2'];
  const { runner, emit, said } = runnerOn(sandboxDoing({ stdout }), temporaryFolder(context));
  const finished = await runner.run(buildOrder({ secrets: { TOKEN: 'hunter22' } }), emit, never);
  assert.equal(finished.report.stdout, 'token is ***!\nand again ***');
  const told = said.map((event) => (event.type === 'log' ? event.text : '')).join('');
  assert.equal(told, 'token is ***!\nand again ***');
});

test('a secret is in no name that is told and in no record of what was fetched, however it is spelled there', async (context) => {
  const secret = 'hunter"2/2 2';
  const folder = temporaryFolder(context);
  const url = `https://a.example/${encodeURIComponent(secret)}/b`;
  const artefact: EgressRecord = {
    kind: 'artefact', url, method: 'GET', httpCode: 302, sha256: '0'.repeat(64), bytes: 0, contentEncoding: null, location: `${url}/c`,
    commits: [], isWithCredentials: false, isComplete: true, source: 'upstream', mirror: null,
  }; // biome-ignore format: a record
  const refusal: EgressRecord = { kind: 'refusal', url, code: 'host-denied', sentence: `no ${secret}` };
  const name = secret.replace('/', '-');
  const records = [artefact, refusal, summary];
  const noted = runnerOn(sandboxDoing({ records, raw: tarOf({ name, mode: 0o4755 }) }), folder);
  const order = buildOrder({ secrets: { TOKEN: secret, NAME: name } });
  const finished = await noted.runner.run(order, noted.emit, never);
  const refused = runnerOn(sandboxDoing({ raw: tarOf({ name: `${name}/${'x'.repeat(300)}` }) }), folder);
  await assert.rejects(refused.runner.run(order, refused.emit, never), {
    code: 'layer-refused',
    message: /"\/\*\*\*\/x/,
  });
  assert.doesNotMatch(JSON.stringify([finished, noted.said, refused.said]), /hunter/);
  const [kept] = finished.materials;
  assert.deepEqual(
    [kept?.kind === 'artefact' && [kept.url, kept.location]],
    [['https://a.example/***/b', 'https://a.example/***/b/c']],
  );
  assert.match(noted.said.map((event) => (event.type === 'log' ? event.text : '')).join(''), /removed from \/\*\*\*\n/);
});

test("a base's tar comes from the bootstrap itself and is neither log nor Report", async (context) => {
  const folder = temporaryFolder(context);
  const sandbox = sandboxDoing({});
  const { runner, emit, said } = runnerOn(sandbox, folder);
  const finished = await runner.run(buildOrder({ kind: 'base', base: 'debian-12' }), emit, never);
  assert.deepEqual([finished.report.stdout, finished.layer?.tar.entries], ['', 2]);
  assert.ok(existsSync(join(folder, 'build_00000000', 'layer.tar.zst')));
  assert.ok(!said.some((event) => event.type === 'log'));
  const [launched] = sandbox.launched;
  assert.deepEqual([launched?.profile, sandbox.launched.length], ['bootstrap', 1]);
  assert.ok(launched?.argv.includes('bookworm'));
  assert.ok(!launched?.argv.some((argument) => argument.includes('://')), 'no archive is named');
});

test('a cancelled build is killed, tells nobody and leaves nothing', async (context) => {
  const controller = new AbortController();
  const launched = Promise.withResolvers<void>();
  const sandbox = Object.assign(
    new FakeSandbox(() => {
      launched.resolve();
      return new Promise(() => undefined);
    }),
    { store: undefined as never },
  );
  const { runner, emit, staged } = runnerOn(sandbox, temporaryFolder(context));
  const running = runner.run(buildOrder(), emit, controller.signal);
  await launched.promise;
  controller.abort();
  await assert.rejects(running, { name: 'AbortError' });
  assert.deepEqual([sandbox.kills, sandbox.released, staged()], [1, [1n], []]);
});

test('an order whose trust state a stranger signed is not carried out; one that was overtaken by a newer one is', async (context) => {
  const sandbox = sandboxDoing({ report: { exitCode: 1 } });
  const { runner, emit, staged } = runnerOn(sandbox, temporaryFolder(context));
  const { signing } = createTestKey();
  const run = (trust: Envelope) => runner.run(buildOrder({ trust }), emit, never);
  assert.equal((await run(trustState([signing], 2))).endedIn, 'setup');
  assert.equal((await run(trustState([signing], 1))).endedIn, 'setup');
  const refused = (error: unknown) => error instanceof SystemError && error.code === 'trust-refused';
  await assert.rejects(run(trustState([createTestKey().signing], 3)), refused);
  assert.deepEqual([sandbox.launched.length, staged()], [2, []]);
});
