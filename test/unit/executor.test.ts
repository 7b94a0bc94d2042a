/**
 * Owns the proof of a lease's straight line: layers, compile, run, result, and what happens when one of them does not go well.
 * Uses a fake sandbox; real programs run in test/contract/sandbox.test.ts and in the end-to-end table.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Execution, type ExecutionListener } from '../../agent/execution/executor.ts';
import { systemClock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { LayerSource } from '../../shared/layers/layer-source.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { LayerManifest } from '../../shared/model/manifest.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { FakeSandbox, type LaunchScript, launchReport } from '../support/fake-sandbox.ts';
import { makeOrder } from '../support/lease-orders.ts';

const silent: ExecutionListener = {
  running: () => undefined,
  fetching: () => undefined,
  output: () => undefined,
  tested: () => undefined,
};

const compile = { script: 'make', variables: { FLAGS: '-O2' }, limits: limitDefaults.compile };

class FakeLayers implements LayerSource {
  released = 0;
  failure: Error | null = null;

  async acquire(): ReturnType<LayerSource['acquire']> {
    if (this.failure !== null) throw this.failure;
    const manifest = (variables: object) => ({ variables }) as LayerManifest;
    const use = { kind: 'base', digest: 'sha256:1', bytes: 1, origin: 'local' } as const;
    return {
      names: ['sha256-1', 'sha256-2'],
      manifests: [manifest({ A: 'low', B: 'low', C: 'low' }), manifest({ B: 'high', C: 'high' })],
      uses: [use],
      release: () => {
        this.released++;
      },
    };
  }

  held = (): readonly string[] => [];
}

function prepare(script: LaunchScript, changes: Partial<LeaseOrderMessage> = {}, listener = silent) {
  const sandbox = new FakeSandbox(script);
  const layers = new FakeLayers();
  const execution = new Execution({ sandbox, layers, clock: systemClock }, makeOrder(changes), 5, listener);
  return { sandbox, layers, execution };
}

test('without a compile script the files go with the run, decoded', async () => {
  const { sandbox, layers, execution } = prepare((_, listener) => {
    void listener.stdout?.(Buffer.from('out'));
    void listener.stderr?.(Buffer.from([0xff]));
    return launchReport();
  });
  const result = await execution.execute();
  const [launched] = sandbox.launched;
  assert.deepEqual(launched?.files, [{ path: 'main.c', isExecutable: true, content: Buffer.from([0, 255]) }]);
  assert.deepEqual([launched?.isKept, launched?.kept, launched?.stdin], [false, [], null]);
  assert.deepEqual(launched?.layers, ['sha256-1', 'sha256-2']);
  assert.deepEqual([result?.verdict, result?.endedIn, result?.compile, result?.failure], ['ok', 'run', null, null]);
  assert.deepEqual([result?.run?.stdout, result?.run?.stderr, result?.run?.slot], ['out', '/w==', 5]);
  assert.equal(layers.released, 1);
});

test('what compile left is the lower layer of the run, and is released afterwards', async () => {
  const { sandbox, execution } = prepare(() => launchReport(), { compile });
  const result = await execution.execute();
  const [first, second] = sandbox.launched;
  assert.deepEqual([first?.isKept, first?.files.length, first?.limits], [true, 1, limitDefaults.compile]);
  assert.deepEqual([second?.isKept, second?.files, second?.kept], [false, [], [{ launch: 1n }]]);
  assert.deepEqual(sandbox.released, [1n]);
  assert.deepEqual([result?.compile?.verdict, result?.run?.verdict], ['ok', 'ok']);
});

test('variables: the defaults, then the layers from low to high, then the request', async () => {
  const variables = { C: 'request', FLAGS: '-O2' };
  const { sandbox, execution } = prepare(() => launchReport(), { compile: { ...compile, variables } });
  await execution.execute();
  const { A, B, C, FLAGS, HOME } = sandbox.launched[0]?.environment ?? {};
  assert.deepEqual([A, B, C, FLAGS, HOME], ['low', 'high', 'request', '-O2', '/environment/workspace']);
  assert.deepEqual(
    [sandbox.launched[1]?.environment['C'], sandbox.launched[1]?.environment['FLAGS']],
    ['high', undefined],
  );
});

test('a compile script that fails ends it there, and its layer is released', async () => {
  const { sandbox, execution } = prepare(() => launchReport({ exitCode: 2 }), { compile });
  const result = await execution.execute();
  assert.deepEqual([result?.verdict, result?.endedIn, result?.run], ['nonzero-exit', 'compile', null]);
  assert.deepEqual([sandbox.launched.length, sandbox.released], [1, [1n]]);
});

test('a sandbox that could not be made is our failure, to be tried elsewhere, never a verdict', async () => {
  const failure = { step: 'overlay', errno: 'EINVAL' };
  const { layers, execution } = prepare(() => launchReport({ end: 'setup-failed', exitCode: null, failure }));
  const result = await execution.execute();
  assert.deepEqual([result?.verdict, result?.endedIn, result?.run], [null, null, null]);
  assert.equal(result?.failure?.code, 'sandbox-failed');
  assert.equal(result?.failure?.isRetryable, true);
  assert.match(result?.failure?.detail ?? '', /overlay, EINVAL/);
  assert.equal(layers.released, 1);
});

test('a lost launcher is a failed sandbox, to be tried elsewhere', async () => {
  const lost = new SystemError('launcher-unavailable', 'gone');
  const { execution } = prepare(() => Promise.reject(lost), { compile });
  const result = await execution.execute();
  assert.deepEqual(
    [result?.failure?.code, result?.failure?.isRetryable, result?.compile],
    ['sandbox-failed', true, null],
  );
});

test('layers that can not be had are named as what they are', async () => {
  const { sandbox, layers, execution } = prepare(() => launchReport());
  layers.failure = new SystemError('layer-untrusted', 'signed by nobody');
  const result = await execution.execute();
  assert.deepEqual(result?.failure, { code: 'layer-untrusted', detail: 'signed by nobody', isRetryable: false });
  assert.equal(sandbox.launched.length, 0);
});

test('a full disk of this machine is a failed sandbox, to be tried elsewhere', async () => {
  const { layers, execution } = prepare(() => launchReport());
  layers.failure = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  assert.equal((await execution.execute())?.failure?.code, 'sandbox-failed');
  const other = prepare(() => launchReport());
  other.layers.failure = new Error('what nobody foresaw');
  assert.equal((await other.execution.execute())?.failure?.code, 'internal');
});

test('a cancelled execution is killed, lets go of everything and has no result', async () => {
  const launched = Promise.withResolvers<void>();
  const { sandbox, layers, execution } = prepare(
    () => {
      launched.resolve();
      return new Promise(() => undefined);
    },
    { compile },
  );
  const result = execution.execute();
  await launched.promise;
  execution.cancel();
  assert.equal(await result, null);
  assert.deepEqual([sandbox.kills, sandbox.released, layers.released], [1, [1n], 1]);
});

test('an execution that is cancelled before its layers came launches nothing', async () => {
  const { sandbox, layers, execution } = prepare(() => launchReport());
  const result = execution.execute();
  execution.cancel();
  assert.equal(await result, null);
  assert.deepEqual([sandbox.launched.length, layers.released], [0, 1]);
});

test('output is passed on while it comes only when asked for; running is said once', async () => {
  const script: LaunchScript = (_, listener) => {
    void listener.stdout?.(Buffer.from('x'));
    return launchReport();
  };
  for (const isOutputStreamed of [true, false]) {
    const heard: string[] = [];
    const listener: ExecutionListener = {
      running: () => heard.push('running'),
      fetching: () => undefined,
      tested: () => undefined,
      output: (name, stream, chunk) => heard.push(`${name} ${stream} ${Buffer.from(chunk)}`),
    };
    await prepare(script, { compile, isOutputStreamed }, listener).execution.execute();
    const output = isOutputStreamed ? ['compile stdout x', 'run stdout x'] : [];
    assert.deepEqual(heard.sort(), [...output, 'running'].sort());
  }
});

test('the parts of its time are the time that it took: of making sandboxes each part, and what the agent itself needed', async () => {
  let nowMs = 100;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const sandbox = new FakeSandbox(() => {
    nowMs += 20;
    return launchReport({ takeMs: 1, mountMs: 2, execMs: 3, wallTimeMs: 4, collectMs: 0.5 });
  });
  const execution = new Execution({ sandbox, layers: new FakeLayers(), clock }, makeOrder({ compile }), 0, silent);
  const result = await execution.execute();
  assert.deepEqual(result?.timing, {
    ...{ fetchMs: 0, takeMs: 2, mountMs: 4, execMs: 6, prepareMs: 12, executeMs: 8, collectMs: 1 },
    agentMs: 40 - 12 - 8 - 1,
  });
});
