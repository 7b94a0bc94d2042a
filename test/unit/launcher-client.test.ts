/**
 * Owns the proof of the client's side of the contract: multiplexing, credit, back-pressure, loss and return, against a scripted launcher.
 * Never runs programs: test/contract/sandbox.test.ts does, with the real launcher.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { SystemError } from '../../shared/errors.ts';
import { numbers } from '../../shared/sandbox/contract.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import type { Sandbox } from '../../shared/sandbox/sandbox.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { type Answer, ScriptedLauncher, wireReport } from '../support/scripted-launcher.ts';

async function withLauncher(
  answer: Answer,
  action: (sandbox: Sandbox, launcher: ScriptedLauncher) => Promise<void>,
): Promise<void> {
  const launcher = await ScriptedLauncher.listen(answer);
  const sandbox = await connectLauncher({ socketPath: launcher.path });
  try {
    await action(sandbox, launcher);
  } finally {
    await sandbox.close();
    await launcher.close();
  }
}

const unavailable = (error: unknown): boolean => error instanceof SystemError && error.code === 'launcher-unavailable';

test('the welcome tells about the machine', async () => {
  await withLauncher(
    () => undefined,
    async ({ facts }) => {
      const expected = {
        cgroup: 'v2',
        cores: 2,
        memoryBytes: 1e9,
        kernel: '6.18.0',
        release: 'scripted',
        isRootless: false,
        missing: [],
      };
      assert.deepEqual(facts, expected);
    },
  );
});

test('a launcher that is not there is an error with path and remedy', async () => {
  await assert.rejects(connectLauncher({ socketPath: '/nonexistent/launcher.sock' }), (error: Error) => {
    assert.match(error.message, /\/nonexistent\/launcher\.sock.*ENOENT.*see that it runs/);
    return unavailable(error);
  });
});

test('a launcher of another contract is refused', async () => {
  const launcher = await ScriptedLauncher.listen();
  launcher.version = 99;
  await assert.rejects(connectLauncher({ socketPath: launcher.path }), /contract 99, this program 4/);
  await launcher.close();
});

test('launches side by side get their own output and report', async () => {
  const seen: number[] = [];
  const answer: Answer = (frame, launcher) => {
    if (frame.name !== 'LAUNCH') return;
    seen.push(frame.fields.launch);
    if (seen.length < 3) return;
    // In the other order, so that nothing depends on it.
    for (const launch of seen.toReversed()) {
      launcher.send('STARTED', { launch, startedAtNs: launch * 1e9 });
      launcher.send('OUTPUT', { launch, stream: 1, data: Buffer.from(`out ${launch}`) });
      launcher.send('OUTPUT', { launch, stream: 2, data: Buffer.from(`err ${launch}`) });
      launcher.send('REPORT', wireReport({ launch, exitCode: launch, step: 16, errorNumber: 2 }));
    }
  };
  await withLauncher(answer, async (sandbox) => {
    const ended = [1, 2, 3].map(async (number) => {
      const heard: string[] = [];
      const launch = sandbox.launch(launchSpec(['/bin/true']), {
        started: (startedAtMs) => void heard.push(`started ${startedAtMs}`),
        stdout: (chunk) => void heard.push(`${chunk}`),
        stderr: (chunk) => void heard.push(`${chunk}`),
      });
      const report = await launch.report;
      assert.equal(report.exitCode, number);
      assert.deepEqual(heard, [`started ${number * 1000}`, `out ${number}`, `err ${number}`]);
    });
    await Promise.all(ended);
  });
});

test('a failure names step and errno', async () => {
  const answer: Answer = (frame, launcher) => {
    if (frame.name === 'LAUNCH')
      launcher.send(
        'REPORT',
        wireReport({ launch: frame.fields.launch, end: 3, exitCode: -1, step: 16, errorNumber: 2 }),
      );
  };
  await withLauncher(answer, async (sandbox) => {
    const report = await sandbox.launch(launchSpec(['/nothing'])).report;
    assert.deepEqual(
      [report.end, report.failure, report.exitCode],
      ['start-failed', { step: 'exec', errno: 'ENOENT' }, null],
    );
  });
});

for (const kind of ['bytes', 'a stream'] as const) {
  test(`standard input given as ${kind} never exceeds the credit and ends once`, async () => {
    const size = 3 * numbers.STDIN_CREDIT_BYTES + 17;
    const input = Buffer.alloc(size, 'abcdefg');
    const got: Buffer[] = [];
    let credit: number = numbers.STDIN_CREDIT_BYTES;
    const answer: Answer = (frame, launcher) => {
      if (frame.name !== 'STDIN') return;
      const { data, last, launch } = frame.fields;
      credit -= data.length;
      assert.ok(credit >= 0, 'more than the credit');
      got.push(Buffer.from(data));
      if (last === 1) launcher.send('REPORT', wireReport({ launch }));
      // Credit comes in small pieces and only when the last one is used up.
      if (credit === 0) {
        credit = 100_000;
        launcher.send('STDIN_CREDIT', { launch, bytes: credit });
      }
    };
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < size; at += 70_000) yield input.subarray(at, at + 70_000);
    }
    await withLauncher(answer, async (sandbox, launcher) => {
      await sandbox.launch(launchSpec(['/bin/cat'], { stdin: kind === 'bytes' ? input : source() })).report;
      assert.ok(Buffer.concat(got).equals(input));
      assert.equal(launcher.received[1], 'LAUNCH');
    });
  });
}

test('a source of input that fails kills the program, and the report rejects with its error', async () => {
  const answer: Answer = (frame, launcher) => {
    if (frame.name === 'KILL') launcher.send('REPORT', wireReport({ launch: frame.fields.launch, end: 5 }));
  };
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('some');
    throw new Error('the source broke');
  }
  await withLauncher(answer, async (sandbox) => {
    await assert.rejects(sandbox.launch(launchSpec(['/bin/cat'], { stdin: broken() })).report, /the source broke/);
  });
});

test('a listener that returns a promise holds output back until it settles', async () => {
  const MiB = 1024 * 1024;
  const answer: Answer = (frame, launcher) => {
    if (frame.name !== 'LAUNCH') return;
    const { launch } = frame.fields;
    for (let sent = 0; sent < 16; sent++) launcher.send('OUTPUT', { launch, stream: 1, data: Buffer.alloc(MiB) });
    launcher.send('REPORT', wireReport({ launch }));
  };
  await withLauncher(answer, async (sandbox, launcher) => {
    const gate = Promise.withResolvers<void>();
    let bytes = 0;
    const first = Promise.withResolvers<void>();
    const launch = sandbox.launch(launchSpec(['/bin/yes']), {
      stdout: (chunk) => {
        bytes += chunk.length;
        first.resolve();
        return gate.promise;
      },
    });
    await first.promise;
    // A round trip of the event loop: nothing more comes while the gate is closed.
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(bytes, MiB);
    assert.ok((launcher.socket?.writableLength ?? 0) > 8 * MiB);
    gate.resolve();
    await launch.report;
    assert.equal(bytes, 16 * MiB);
  });
});

test('a lost launcher rejects what runs and what is asked; the next launch connects again', async () => {
  const answer: Answer = (frame, launcher) => {
    if (frame.name === 'LAUNCH' && launcher.received.includes('KILL'))
      launcher.send('REPORT', wireReport({ launch: frame.fields.launch }));
    else if (frame.name === 'KILL') launcher.socket?.destroy();
  };
  await withLauncher(answer, async (sandbox) => {
    const launch = sandbox.launch(launchSpec(['/bin/true'], { isKept: true }));
    const asked = sandbox.store.list();
    launch.kill();
    await assert.rejects(launch.report, unavailable);
    await assert.rejects(asked, unavailable);
    const report = await sandbox.launch(launchSpec(['/bin/true'])).report;
    assert.equal(report.end, 'exited');
    // What the lost launcher kept is gone: no other launch may be mistaken for it.
    const onLost = sandbox.launch(launchSpec(['/bin/true'], { kept: [launch.kept] }));
    await assert.rejects(onLost.report, unavailable);
  });
});

test('bytes that do not follow the contract end the connection, not the process', async () => {
  const answer: Answer = (frame, launcher) => {
    if (frame.name === 'LAUNCH') launcher.socket?.write(Buffer.from([1, 0, 0, 0, 250]));
  };
  await withLauncher(answer, async (sandbox) => {
    await assert.rejects(sandbox.launch(launchSpec(['/bin/true'])).report, /does not follow the contract/);
  });
});

test('the layer store answers by request; a name that is there already is no error', async () => {
  const answer: Answer = (frame, launcher) => {
    if (frame.name === 'LAYER_LIST')
      launcher.send('LAYERS', { request: frame.fields.request, layers: ['sha256-a', 'sha256-b'] });
    else if (frame.name === 'LAYER_COMMIT')
      launcher.send('DONE', { request: frame.fields.request, step: 17, errorNumber: 17 });
    else if (frame.name === 'LAYER_CREATE')
      launcher.send('DONE', { request: frame.fields.request, step: 0, errorNumber: 0 });
    else if (frame.name === 'LAYER_REMOVE')
      launcher.send('DONE', { request: frame.fields.request, step: 17, errorNumber: 2 });
  };
  await withLauncher(answer, async ({ store }) => {
    assert.deepEqual(await store.list(), ['sha256-a', 'sha256-b']);
    await store.create('new-1');
    assert.equal(await store.commit('new-1', 'sha256-a'), false);
    await assert.rejects(store.remove('sha256-c'), /removing 'sha256-c': .* \(step store, ENOENT\)/);
  });
});

test('a closed client launches nothing more', async () => {
  const launcher = await ScriptedLauncher.listen();
  const sandbox = await connectLauncher({ socketPath: launcher.path });
  const closed = launcher.socket === null ? Promise.resolve() : once(launcher.socket, 'close');
  await sandbox.close();
  await closed;
  await assert.rejects(sandbox.launch(launchSpec(['/bin/true'])).report, unavailable);
  await launcher.close();
});
