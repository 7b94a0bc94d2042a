/**
 * Owns what strangers' tools say about the API: its description is OpenAPI 3.1, and whatever schemathesis makes of it, right or wrong requests to every
 * operation, operators' destructive ones too, is answered as described and never by a fault of ours. The seed is in the ledger.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { describeApi } from '../../ops/docs/api-description.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';
import { howMany, isDeep, noteInLedger, testSeed } from '../support/ledger.ts';
import { pythonPrograms } from '../support/python-packages.ts';
import type { AgentScript } from '../support/scripted-agent.ts';

const run = promisify(execFile);

const SECONDS_MAX = howMany('ENVICUTOR_API_PROPERTIES_SECONDS', 15, 600);
const EXAMPLES = 25;
const KEY = 'key-of-an-operator';

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-api-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Nothing waits for long: streams and waited requests end by themselves. */
const short = { waitSecondsMax: 1, queueWaitMsMax: 1000 };

const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

async function attack(t: TestContext, url: string, auth: string): Promise<void> {
  const programs = await pythonPrograms('api-checkers.txt');
  const folder = await temporaryFolder(t);
  const told = await readFile(join(import.meta.dirname, '../support/schemathesis.toml'), 'utf8');
  const config = join(folder, 'schemathesis.toml');
  await writeFile(config, `${auth}\n${told}`);
  const seed = Number(testSeed) % 2 ** 32;
  const words = [
    // One worker: Python 3.11's parser of its own source, which is asked for lambdas, is not made for two threads ("AST constructor recursion depth mismatch").
    ...['--config-file', config, 'run', `${url}/openapi.json`, '--seed', String(seed), '--workers', '1'],
    ...['--phases', 'examples,coverage,fuzzing', '--max-examples', String(EXAMPLES), '--max-time', String(SECONDS_MAX)],
    ...['--continue-on-failure', '--request-timeout', '20', '--warnings', 'off'],
  ];
  const options = { cwd: folder, timeout: SECONDS_MAX * 4000, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await run(join(programs, 'schemathesis'), words, options).catch((error: { stdout: string }) =>
    assert.fail(`seed ${seed}\n${error.stdout ?? error}`),
  );
  const requests = Number(/^\s*(\d+) generated/m.exec(stdout)?.[1] ?? 0);
  const [, selected = 'none', operations = '0'] = /Selected: (\d+)\/\d+\s+Tested: (\d+)/.exec(stdout) ?? [];
  noteInLedger(t.name, { seed, requests, operations });
  assert.match(stdout, /No issues found/);
  assert.ok(requests > 20, stdout);
  // How many there is time for on a busy machine is chance; with time for all of them, none is left out.
  if (isDeep) assert.equal(operations, selected, stdout);
}

test("the API's description is OpenAPI 3.1 by a validator that is not ours", async (t) => {
  const programs = await pythonPrograms('api-checkers.txt');
  const folder = await temporaryFolder(t);
  for (const isKeyed of [true, false]) {
    const path = join(folder, `${isKeyed}.json`);
    await writeFile(path, describeApi(isKeyed));
    const { stdout } = await run(join(programs, 'openapi-spec-validator'), ['--schema', '3.1', path]);
    assert.match(stdout, /OK/);
  }
});

test('requests made from the description of an instance without keys are answered as described', async (t) => {
  const { url, logged, join: joinAgent } = await startCoordinator(t, short);
  await joinAgent(willing);
  await attack(t, url, '');
  assert.deepEqual(
    logged.filter(({ msg }) => msg === 'request failed'),
    [],
  );
});

test('requests made from the description of an instance with keys are answered as described, none without a key', async (t) => {
  const keys = [{ name: 'first', sha256: digestHex(digestOf(KEY)) }];
  const ring = createKeyRing({ tenants: [{ id: 'one', isOperator: true, keys }] });
  const { url, logged, join: joinAgent } = await startCoordinator(t, short, ring);
  await joinAgent(willing);
  await attack(t, url, `[auth.openapi.key]\nbearer = "${KEY}"\n`);
  assert.deepEqual(
    logged.filter(({ msg }) => msg === 'request failed'),
    [],
  );
});
