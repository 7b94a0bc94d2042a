/**
 * Owns tests whose inputs, answers and check programs are files that were sent before, with receipts, batches and webhooks: each of these has a test of its
 * own elsewhere; here they meet. Real coordinator, agent and launcher; needs root, no registry.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { verifyReceipt, verifyWebhook } from '../../client/typescript/client.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { StoredFile } from '../../shared/model/file.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import { setStage } from '../support/agent-stage.ts';
import { localReceivers, WebhookReceiver } from '../support/webhook-receiver.ts';

type Stage = Awaited<ReturnType<typeof setStage>>;

const environment = { base: 'debian-13' as const };
const outcomes = ({ tests }: Execution) => tests.map(({ outcome }) => outcome);
/** Reads two numbers and adds them. */
const adder = { script: 'read a b; echo $((a + b))' };

describe('tests whose parts are files that were sent before', () => {
  let stage: Stage;
  const receiver = new WebhookReceiver();
  const ends: (() => unknown)[] = [];
  const sent = new Map<string, StoredFile>();
  before(async () => {
    await receiver.start();
    const ranges = { webhookPrivateRanges: [...localReceivers.webhookPrivateRanges] };
    const settings = { ...localReceivers, ...ranges, webhookPorts: [...localReceivers.webhookPorts] };
    stage = await setStage({ after: (end) => void ends.push(end as () => unknown) }, null, settings);
    await stage.startAgent();
    for (const content of ['20 22\n', '42\n', '1 1\n', '3\n', 'read o < "$2"; read a < "$3"; [ $o = $a ]\n']) {
      sent.set(content, await upload(content));
    }
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
    await receiver.stop();
  });

  const json = async (method: string, path: string, body?: object) => {
    const answer = await stage.coordinator.ask(method, path, body);
    return { status: answer.status, body: await answer.json() };
  };
  async function upload(content: string): Promise<StoredFile> {
    const headers = { 'content-type': 'application/octet-stream' };
    const answer = await stage.coordinator.ask('POST', '/v1/files', content, headers);
    assert.equal(answer.status, 200);
    return await answer.json();
  }
  const idOf = (content: string) => sent.get(content)?.id ?? assert.fail(`${content} was not sent`);
  const toTest = (stdin: string, expected: string) => ({
    ...{ stdin: idOf(stdin), stdinEncoding: 'file' as const },
    ...{ expected: idOf(expected), expectedEncoding: 'file' as const },
  });
  /** The second is wrong, the third has no file. */
  const toTests = () => [
    toTest('20 22\n', '42\n'),
    toTest('1 1\n', '3\n'),
    { stdin: '1 2\n', expected: '3\n' },
    { ...toTest('20 22\n', '42\n'), stdin: '40 2\n', stdinEncoding: 'utf8' as const },
  ];
  const wanted = ['accepted', 'wrong-answer', 'accepted', 'accepted'];
  const toProgram = (script: string) => ({
    kind: 'program' as const,
    files: [{ path: 'check.sh', file: idOf('read o < "$2"; read a < "$3"; [ $o = $a ]\n') }],
    run: { script },
  });
  /** Every way to judge them. */
  const toChecks = (): readonly Pick<ExecutionRequest, 'check'>[] => [
    {},
    { check: { kind: 'exact' } },
    { check: toProgram('. ./check.sh') },
    { check: { ...toProgram('sh made.sh "$@"'), compile: { script: 'cp check.sh made.sh' } } },
    {
      check: {
        ...toProgram('read a b < "$1"; echo $a $b; read o; echo $o > out; sh check.sh "$1" out "$3"'),
        kind: 'interactor',
      },
    },
  ];

  test('they are compared, found by check programs and interactors, and stated by receipts', async () => {
    const agentKeys: Envelope = (await json('GET', '/v1/agents/keys')).body;
    const { keys } = (await json('GET', '/v1/cache/keys')).body;
    const known = { agentKeys, signingKeyIds: keys.map(({ keyid }: { keyid: string }) => keyid), tenant: 'local' };
    const fileDigests = Object.fromEntries([...sent.values()].map(({ id, sha256 }) => [id, sha256]));
    for (const checked of toChecks()) {
      const request: ExecutionRequest = { environment, run: adder, tests: toTests(), ...checked };
      const execution = await stage.execute(request);
      assert.deepEqual(outcomes(execution), wanted, JSON.stringify([execution.failure, execution.tests]));
      const verdict = await verifyReceipt({ ...known, execution, request, fileDigests });
      assert.ok(verdict.isValid && verdict.isRequestChecked, JSON.stringify([verdict, checked]));
      const unknown = await verifyReceipt({ ...known, execution, request });
      assert.equal(unknown.isValid ? null : unknown.reason, 'request-malformed');
      const others = { ...fileDigests, [idOf('42\n')]: sent.get('3\n')?.sha256 ?? '' };
      const other = await verifyReceipt({ ...known, execution, request, fileDigests: others });
      assert.equal(other.isValid ? null : other.reason, 'request-differs');
    }
  });

  test('a compiled check of other files is another check', async () => {
    const ask = async (content: string) => {
      const { id } = await upload(content);
      const files = [{ path: 'check.sh', file: id }];
      const check = { ...toProgram('sh made.sh'), files, compile: { script: 'cp check.sh made.sh' } };
      return outcomes(await stage.execute({ run: adder, tests: [{ stdin: '1 1\n' }], check }));
    };
    assert.deepEqual(await ask('exit 0\n'), ['accepted']);
    assert.deepEqual(await ask('exit 1\n'), ['wrong-answer']);
  });

  test('a batch of them is accepted by one request, and one of whose files is not there rejects it by its place', async () => {
    const executions = toChecks().map((checked) => ({ environment, run: adder, tests: toTests(), ...checked }));
    const accepted = await json('POST', '/v1/executions/batch', { executions });
    assert.equal(accepted.status, 202, JSON.stringify(accepted.body));
    for (const { id } of accepted.body.executions) {
      await (await stage.coordinator.ask('GET', `/v1/executions/${id}/events`)).text();
      const { body } = await json('GET', `/v1/executions/${id}`);
      assert.deepEqual(outcomes(body), wanted, JSON.stringify(body.failure));
    }
    const missing = { tests: [{ ...toTests()[0], expected: 'file_00000000' }] };
    const refused = await json('POST', '/v1/executions/batch', {
      executions: [executions[0], { ...executions[1], ...missing }],
    });
    assert.deepEqual([refused.status, refused.body.code], [404, 'file-not-found']);
    assert.equal(refused.body.errors[0].pointer, '/executions/1/tests/0/expected');
  });

  test('a webhook tells the tests as the API does', async () => {
    const webhook = { url: receiver.url() };
    const { body: accepted } = await json('POST', '/v1/executions', {
      environment,
      run: adder,
      tests: toTests(),
      webhook,
    });
    const [received] = await receiver.received(1);
    assert.ok(received !== undefined);
    const { secret } = (await json('GET', '/v1/webhooks/secret')).body;
    const verdict = await verifyWebhook({ ...received, secret });
    assert.ok(verdict.isValid, JSON.stringify(verdict));
    const execution = (await json('GET', `/v1/executions/${accepted.id}`)).body;
    assert.deepEqual(verdict.event.data, execution);
    assert.deepEqual([outcomes(execution), execution.verdict], [wanted, 'wrong-answer']);
    assert.deepEqual(execution.score, { points: 3, of: 4 });
  });
});
