/**
 * Owns what Jobe's clients may rely on, over real HTTP, written from the published contract: languages, files, runs, keys. Agents are scripted.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import { createKeyRing, type KeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { shellRecipes } from '../support/acted-languages.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { foreignClient } from '../support/foreign-client.ts';
import { makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';

const root = '/jobe/index.php/restapi';
const id = '5f4dcc3b5aa765d61d8327deb882cf99';
const run = { run_spec: { language_id: 'python3', sourcecode: 'print(1)', sourcefilename: 'test.py' } };
const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

async function start(t: TestContext, changes: Partial<CoordinatorConfig> = {}, keys: KeyRing | null = null) {
  const coordinator = await startCoordinator(t, changes, keys, { recipes: shellRecipes });
  return Object.assign(coordinator, { jobe: foreignClient(() => coordinator.url) });
}

test('languages are pairs of id and version, and a run is answered with its result', async (t) => {
  const { jobe, join } = await start(t);
  await join(willing);
  const languages = await jobe('GET', `${root}/languages`);
  assert.deepEqual(languages.body, [
    ['cpp', '1.2.3'],
    ['python3', '1.2.3'],
  ]);
  const answer = await jobe('POST', `${root}/runs/`, run);
  assert.deepEqual(
    [answer.status, answer.body],
    [200, { run_id: null, outcome: 15, cmpinfo: '', stdout: 'hello\n', stderr: '' }],
  );
});

test('a file is put, is there, and is missed where nobody has put it', async (t) => {
  const { jobe, join } = await start(t);
  await join(willing);
  const path = `${root}/files/${id}`;
  const missing = await jobe('POST', `${root}/runs`, { run_spec: { ...run.run_spec, file_list: [[id, 'a.txt']] } });
  const sentence = 'One or more of the specified files is missing/unavailable';
  assert.deepEqual([missing.status, missing.body], [404, sentence]);
  assert.equal((await jobe('HEAD', path)).status, 404);
  const put = (contents: unknown) => jobe('PUT', path, { file_contents: contents });
  assert.deepEqual(
    [(await put(undefined)).status, (await put(undefined)).body],
    [400, 'put: missing file_contents parameter'],
  );
  assert.equal((await put('no base64!')).body, `put: contents of file ${id} are not valid base-64`);
  assert.equal((await put(Buffer.from('content').toString('base64'))).status, 204);
  assert.equal((await jobe('HEAD', path)).status, 204);
  const there = await jobe('POST', `${root}/runs`, { run_spec: { ...run.run_spec, file_list: [[id, 'a.txt']] } });
  assert.equal(there.body.outcome, 15);
});

test('what is wrong is a text with its status, and what can not be served now an overload', async (t) => {
  const { jobe } = await start(t, { queueDepthMax: 1 });
  const text = await jobe('POST', `${root}/runs`, 'nothing');
  assert.equal(text.status, 400);
  const unknown = await jobe('POST', `${root}/runs`, { run_spec: { ...run.run_spec, language_id: 'cobol' } });
  assert.deepEqual([unknown.status, unknown.body], [400, "Language 'cobol' is not known"]);
  const spec = (parameters: object) => ({ run_spec: { ...run.run_spec, parameters } });
  for (const parameters of [{ runargs: ['a\u0000'] }, { interpreterargs: ['a\u0000'] }])
    assert.equal((await jobe('POST', `${root}/runs`, spec(parameters))).status, 400, JSON.stringify(parameters));
  for (const body of ['[]', 'null', '{"run_spec":[]}', '{"run_spec":{"language_id":{},"sourcecode":[]}}'])
    assert.equal((await jobe('POST', `${root}/runs`, body)).status, 400, body);
  // Nobody is there to run them, and one may wait.
  const overloaded = await Promise.race([jobe('POST', `${root}/runs`, run), jobe('POST', `${root}/runs`, run)]);
  const { status, body, headers } = overloaded;
  assert.deepEqual([status, body.outcome, body.stdout], [200, 21, '']);
  assert.ok(Number(headers.get('retry-after')) >= 1);
});

test("a tenant's key is the API key, and files are its own", async (t) => {
  const tenant = (name: string) => ({ id: name, keys: [{ name: 'k', sha256: digestHex(digestOf(`key-${name}`)) }] });
  const coordinator = await start(t, {}, createKeyRing({ tenants: [tenant('one'), tenant('two')] }));
  const as = (name: string) => foreignClient(() => coordinator.url, { 'x-api-key': `key-${name}` });
  const none = await coordinator.jobe('GET', `${root}/languages`);
  assert.deepEqual([none.status, none.text], [403, 'Missing API key']);
  const unknown = await as('nobody')('GET', `${root}/languages`);
  assert.deepEqual([unknown.status, unknown.text], [403, 'Unknown API key']);
  assert.equal((await as('one')('GET', `${root}/languages`)).status, 200);
  assert.equal((await as('one')('PUT', `${root}/files/${id}`, { file_contents: 'aGk=' })).status, 204);
  assert.equal((await as('one')('HEAD', `${root}/files/${id}`)).status, 204);
  assert.equal((await as('two')('HEAD', `${root}/files/${id}`)).status, 404);
});
