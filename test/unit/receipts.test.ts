/**
 * Owns what a receipt is worth to a client: whatever is changed in the statement, the answer, the request, the list or a signature, by whoever does
 * not hold the agent's key or by whoever does, has a name; nothing that is handed in makes the client library throw.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type ReceiptEvidence,
  type ReceiptProblem,
  receiptProblems,
  verifyReceipt,
} from '../../client/typescript/client.ts';
import { preAuthenticationEncoding, toTrustedKey } from '../../shared/layers/envelope.ts';
import type { AgentKeyList } from '../../shared/model/agent-keys.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import { RECEIPT_CHARACTERS_MAX, type ReceiptStatement } from '../../shared/model/receipt.ts';
import { Report } from '../../shared/model/verdict.ts';
import { challengeText } from '../../shared/protocol/agent-messages.ts';
import { signAgentKeys } from '../../shared/receipts/agent-key-list.ts';
import { signReceipt } from '../../shared/receipts/receipt.ts';
import { RECEIPT_PAYLOAD_TYPE } from '../../shared/receipts/statement.ts';
import {
  after,
  agentKey,
  keyList,
  keys,
  request,
  signText,
  statement,
  toAnswer,
  toEvidence,
} from '../support/receipts.ts';

async function problemOf(changes: Partial<ReceiptEvidence> = {}): Promise<ReceiptProblem | null> {
  const verdict = await verifyReceipt({ ...toEvidence(), ...changes });
  if (verdict.isValid) return null;
  assert.equal(verdict.detail, receiptProblems[verdict.reason]);
  return verdict.reason;
}

const withReceipt = (receipt: string | null) => ({ execution: toAnswer(receipt) });
const stating = (changes: Partial<ReceiptStatement>) =>
  withReceipt(signReceipt({ ...statement, ...changes }, keys.agent));
const listing = (changes: Partial<AgentKeyList>, ...signers: (keyof typeof keys)[]) => ({
  agentKeys: signAgentKeys(
    { ...keyList, ...changes },
    (signers.length === 0 ? ['signing' as const] : signers).map((name) => keys[name]),
  ),
});

/** Places of a JSON value, each with the value changed there and nowhere else. */
function changesOf(value: unknown, path = ''): { path: string; changed: unknown }[] {
  if (typeof value !== 'object' || value === null) return [{ path, changed: changeOf(value) }];
  if (Array.isArray(value)) {
    const items = value.flatMap((item, index) =>
      changesOf(item, `${path}/${index}`).map(({ path: at, changed }) => ({
        path: at,
        changed: value.with(index, changed),
      })),
    );
    return [...items, { path: `${path}/+`, changed: [...value, value[0] ?? 'more'] }];
  }
  const members = Object.entries(value).flatMap(([name, member]) => [
    ...changesOf(member, `${path}/${name}`).map(({ path: at, changed }) => ({
      path: at,
      changed: { ...value, [name]: changed },
    })),
    {
      path: `${path}/-${name}`,
      changed: Object.fromEntries(Object.entries(value).filter(([other]) => other !== name)),
    },
  ]);
  return [...members, { path: `${path}/+`, changed: { ...value, more: 1 } }];
}

function changeOf(value: unknown): unknown {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (value === null) return 'ok';
  const text = String(value);
  if (/^\d{4}-.*Z$/.test(text)) return after(text, 1000);
  if (/^sha256:/.test(text)) return text.replace(/.$/, text.endsWith('0') ? '1' : '0');
  return `${text}x`;
}

test('an honest receipt is valid, and its verdict names who stated what under which list', async () => {
  const verdict = await verifyReceipt(toEvidence());
  assert.ok(verdict.isValid);
  assert.deepEqual([verdict.statement, verdict.agent, verdict.isRequestChecked], [statement, agentKey, true]);
  assert.deepEqual(verdict.agentKeys, { version: 3, issuedAt: keyList.issuedAt, signingKeyIds: [keys.signing.keyid] });
  const { request: _, tenant: __, ...less } = toEvidence();
  const without = await verifyReceipt(less);
  assert.ok(without.isValid && !without.isRequestChecked);
});

test('an agent that changes any one member of its statement states something else than its answer, by name', async () => {
  // What an answer does not tell is the coordinator's to compare (receipt-check.test.ts): the client can only see that it is well formed.
  const untold = /^\/(lease|fence|acceptedAt|completedAt)$|^\/(compile|run)\/limits\//;
  let refused = 0;
  for (const { path, changed } of changesOf(statement)) {
    const problem = await problemOf(withReceipt(signReceipt(changed as ReceiptStatement, keys.agent)));
    if (untold.test(path) && !/\/-|\/\+/.test(path)) continue;
    assert.notEqual(problem, null, path);
    refused++;
  }
  assert.ok(refused > 100, `${refused} changes`);
});

test('what an agent states wrongly has the name of what it is wrong about', async () => {
  const run = statement.run;
  assert.ok(run !== null);
  // biome-ignore format: a table is read by column
  const wrong: readonly (readonly [Partial<ReceiptStatement>, ReceiptProblem])[] = [
    [{ agent: 'agent_00000002' },                             'agent-differs'],
    [{ execution: 'exec_another' },                           'execution-differs'],
    [{ tenant: 'another' },                                   'tenant-differs'],
    [{ request: `sha256:${'0'.repeat(64)}` },                 'request-differs'],
    [{ layers: statement.layers.toReversed() },               'layers-differ'],
    [{ verdict: 'ok' },                                       'verdict-differs'],
    [{ run: { ...run, verdict: 'ok' } },                      'verdict-differs'],
    [{ endedIn: 'compile' },                                  'ending-differs'],
    [{ failure: 'sandbox-failed' },                           'ending-differs'],
    [{ compile: null },                                       'ending-differs'],
    [{ run: { ...run, exitCode: 4 } },                        'ending-differs'],
    [{ run: { ...run, stdout: run.stderr } },                 'output-differs'],
    [{ run: { ...run, stderrTruncated: true } },              'output-differs'],
    [{ run: { ...run, usage: { ...run.usage, cpuTimeMs: 1.25 } } }, 'usage-differs'],
    [{ run: { ...run, endedAt: statement.acceptedAt } },      'times-differ'],
    [{ completedAt: '2025-12-31T23:59:59.999Z' },             'times-differ'],
    [{ completedAt: '2026-01-32T00:00:00.000Z' },             'times-differ'],
    [{ run: { ...run, limits: { ...run.limits, processes: 127 } } }, 'limits-differ'],
    [{ version: 2 as 1 },                                     'receipt-malformed'],
  ];
  for (const [changes, problem] of wrong)
    assert.equal(await problemOf(stating(changes)), problem, JSON.stringify(changes));
});

test('any change of what an answer tells is not what its receipt states', async () => {
  const answer = toAnswer();
  const told = new Set(['id', 'verdict', 'endedIn', 'compile', 'run', 'failure']);
  for (const { path, changed } of changesOf(answer)) {
    const [, top = ''] = path.split('/');
    const isTold =
      told.has(top) || /^\/agent\/id$|^\/environment\/layers\/(\d+\/(-)?digest|\+)$|^\/(-)?receipt/.test(path);
    const problem = await problemOf({ execution: changed as Execution });
    // Members that nobody knows are passed over: an answer of a later release has more.
    const isPassedOver = path.endsWith('/+') && !/\/(layers|usage)\/\+$/.test(path);
    if (isTold && !isPassedOver) assert.notEqual(problem, null, path);
  }
  // An encoding alone changes no byte of these.
  const ascii = { ...answer, compile: { ...answer.compile, stdout: 'Y29tcGlsZWQK', stdoutEncoding: 'base64' } };
  assert.equal(await problemOf({ execution: ascii as Execution }), null);
});

test('every member of a Report is stated, but for how its output is written', () => {
  const written = ['stdoutEncoding', 'stderrEncoding'];
  const stated = Object.keys(statement.run ?? {}).filter((name) => name !== 'limits');
  assert.deepEqual([...stated, ...written].sort(), Object.keys(Report.properties).sort());
});

test('a client sees any change of its own request, and of variables of an environment that it names by its id', async () => {
  const asked = ['files', 'compile', 'run'];
  for (const { path, changed } of changesOf(request)) {
    const [, top = '', member = ''] = path.split('/');
    const isEncoding = /encoding/i.test(path) || /\/-(executable|limits|cpuTimeMs|processes)$/.test(path);
    if (isEncoding || !(asked.includes(top) || (top === 'environment' && member === 'variables'))) continue;
    const problem = await problemOf({ request: changed as ExecutionRequest });
    // Of variables that the run has of its own, the environment's count for compile.
    if (/\/\+$/.test(path) && !/arguments|files\/\+|variables/.test(path)) continue;
    assert.ok(problem !== null, path);
  }
  const named: ExecutionRequest = { ...request, environment: 'env_00000000' };
  assert.equal(await problemOf({ request: named }), 'request-differs');
  const environmentVariables = { SHARED: 'environment', OWN: 'environment' };
  assert.equal(await problemOf({ request: named, environmentVariables }), null);
});

test('no changed byte of a receipt is believed, nor another spelling of it', async () => {
  const { receipt } = toAnswer();
  assert.ok(receipt !== null);
  const [payload = '', signature = ''] = receipt.split('.');
  await fc.assert(
    fc.asyncProperty(
      fc.nat(receipt.length - 1),
      fc.base64String({ minLength: 4, maxLength: 4 }),
      async (at, [character = 'A']) => {
        const changed = receipt.slice(0, at) + character + receipt.slice(at + 1);
        if (changed !== receipt) assert.match(String(await problemOf(withReceipt(changed))), /^receipt-/);
      },
    ),
    { numRuns: 150 },
  );
  for (const text of [
    '',
    '.',
    payload,
    `${payload}.`,
    `.${signature}`,
    `${receipt}.`,
    `${receipt}=`,
    ` ${receipt}`,
    `${receipt}\n`,
  ]) {
    assert.equal(await problemOf(withReceipt(text)), 'receipt-malformed', JSON.stringify(text));
  }
  const spaced = Buffer.from(` ${JSON.stringify(statement)}`);
  assert.equal(
    await problemOf(withReceipt(signText(spaced))),
    'receipt-malformed',
    'another text of the same statement',
  );
  const twice = Buffer.from(JSON.stringify(statement).replace('{', '{"agent":"agent_00000009",'));
  assert.equal(await problemOf(withReceipt(signText(twice))), 'receipt-malformed', 'a member that is there twice');
  const long = { ...statement, lease: 'x'.repeat(RECEIPT_CHARACTERS_MAX) };
  assert.equal(await problemOf(withReceipt(signReceipt(long, keys.agent))), 'receipt-malformed');
  assert.equal(await problemOf(withReceipt(null)), 'receipt-missing');
});

test('a receipt by another key, by a key that is not in the list, or of another type, is not signed', async () => {
  const stranger = withReceipt(signReceipt(statement, keys.stranger));
  assert.equal(await problemOf(stranger), 'receipt-not-signed');
  const other = { ...agentKey, agentId: 'agent_00000002', publicKey: toTrustedKey(keys.stranger).publicKey };
  assert.equal(await problemOf({ ...stranger, ...listing({ agents: [agentKey, other] }) }), 'receipt-not-signed');
  assert.equal(await problemOf(listing({ agents: [other] })), 'agent-unknown');
  const challenge = challengeText('DSSEv1 41 ');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (nonce, payload) => {
      const signed = preAuthenticationEncoding(RECEIPT_PAYLOAD_TYPE, Buffer.from(payload));
      assert.notEqual(Buffer.from(challengeText(nonce)).subarray(0, 6).toString(), signed.subarray(0, 6).toString());
    }),
  );
  assert.ok(!challenge.startsWith('DSSE'));
});

test('a list is believed by a pinned signing key alone, through a rotation, and never by what it says of itself', async () => {
  const both = [toTrustedKey(keys.signing), toTrustedKey(keys.next)];
  assert.equal(await problemOf({ signingKeyIds: [] }), 'keys-not-trusted');
  assert.equal(await problemOf({ signingKeyIds: [keys.next.keyid] }), 'keys-not-trusted');
  assert.equal(await problemOf(listing({}, 'stranger')), 'keys-not-trusted');
  assert.equal(await problemOf(listing({ keys: [toTrustedKey(keys.stranger)] }, 'stranger')), 'keys-not-trusted');
  const disguised = { keyid: keys.signing.keyid, publicKey: toTrustedKey(keys.stranger).publicKey };
  assert.equal(await problemOf(listing({ keys: [disguised] }, 'stranger')), 'keys-not-trusted');
  // Announced, switched, retired.
  assert.equal(await problemOf(listing({ keys: both })), null);
  for (const { keyid } of both)
    assert.equal(await problemOf({ ...listing({ keys: both }, 'next', 'signing'), signingKeyIds: [keyid] }), null);
  const last = listing({ keys: [toTrustedKey(keys.next)] }, 'next');
  assert.equal(await problemOf(last), 'keys-not-trusted');
  assert.equal(await problemOf({ ...last, signingKeyIds: [keys.next.keyid] }), null);
  assert.equal(await problemOf({ agentKeysVersionMin: 4 }), 'keys-too-old');
});

test('no change of a list that its signing key did not make is believed', async () => {
  const { agentKeys } = toEvidence();
  for (const { changed, path } of changesOf(agentKeys)) {
    if (/keyid$/.test(path) && !/-/.test(path)) continue;
    if (path === '/signatures/+') continue;
    assert.match(String(await problemOf({ agentKeys: changed as never })), /^keys-/, path);
  }
  for (const { changed, path } of changesOf(keyList)) {
    const payload = Buffer.from(JSON.stringify(changed)).toString('base64');
    assert.match(String(await problemOf({ agentKeys: { ...agentKeys, payload } })), /^keys-/, path);
  }
});

test('a receipt from before its agent was retired is valid and says so; one from after it is not', async () => {
  const retiredAt = (milliseconds: number) =>
    listing({ agents: [{ ...agentKey, retiredAt: after(statement.completedAt, milliseconds) }] });
  const verdict = await verifyReceipt({ ...toEvidence(), ...retiredAt(1) });
  assert.ok(verdict.isValid);
  assert.equal(verdict.agent.retiredAt, after(statement.completedAt, 1));
  assert.equal(await problemOf(retiredAt(-1)), 'agent-retired');
  // Before which nothing is, and after which nothing is either.
  const never = listing({ agents: [{ ...agentKey, retiredAt: '2026-13-45T99:00:00Z' }] });
  assert.equal(await problemOf(never), 'keys-malformed');
});

test('whatever is handed in, the client library names a problem and never throws', async () => {
  const names = Object.keys(toEvidence()) as (keyof ReceiptEvidence)[];
  const optional: readonly string[] = ['request', 'tenant'];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.anything(), async (name, value) => {
      const problem = await problemOf({ [name]: value });
      if (value !== undefined || !optional.includes(name)) assert.notEqual(problem, null, name);
    }),
    { numRuns: 200 },
  );
  for (const evidence of [undefined, null, 1, {}, []]) assert.ok(!(await verifyReceipt(evidence as never)).isValid);
  const members = Object.keys(toAnswer()) as (keyof Execution)[];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...members), fc.anything(), async (name, value) => {
      await problemOf({ execution: { ...toAnswer(), [name]: value } as Execution });
    }),
    { numRuns: 200 },
  );
});
