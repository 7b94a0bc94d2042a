/**
 * Owns what a coordinator makes of a receipt that comes with a result: anything in it that is not of this lease, this order and this result is
 * refused by name; and that the client library knows the same shapes as the declarations do.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { isAgentKeyList, isStatement } from '../../client/typescript/shapes.ts';
import { createReceiptCheck } from '../../coordinator/agents/receipt-check.ts';
import { toTrustedKey } from '../../shared/layers/envelope.ts';
import { AgentKeyList } from '../../shared/model/agent-keys.ts';
import { limitNames } from '../../shared/model/limits.ts';
import { ReceiptStatement } from '../../shared/model/receipt.ts';
import { verdicts } from '../../shared/model/verdict.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import { digestOfAsked, findFlaw, signReceipt } from '../../shared/receipts/receipt.ts';
import type { ReceiptFlaw } from '../../shared/receipts/statement.ts';
import { makeReport } from '../support/lease-results.ts';
import { agentKey, keyList, keys, layers, lessee, order, result, signText, statement } from '../support/receipts.ts';

const key = toTrustedKey(keys.agent);
const facts = { ...lessee, order, layers, key };
const flawOf = (changes: Partial<ReceiptStatement>, with_: LeaseResultMessage = result) =>
  findFlaw(signReceipt({ ...statement, ...changes }, keys.agent), facts, with_);

test('an honest receipt fits its lease, its order and its result', () => {
  assert.equal(flawOf({}), null);
});

test('a statement about anything else is refused by name', () => {
  const { compile, run } = statement;
  assert.ok(compile !== null && run !== null);
  const digest = `sha256:${'0'.repeat(64)}`;
  // biome-ignore format: a table is read by column
  const wrong: readonly (readonly [Partial<ReceiptStatement>, ReceiptFlaw])[] = [
    [{ agent: 'agent_00000002' },                                 'agent-differs'],
    [{ execution: 'exec_another' },                               'execution-differs'],
    [{ tenant: 'another' },                                       'tenant-differs'],
    [{ lease: 'lease_00000002' },                                 'lease-differs'],
    [{ fence: 6 },                                                'fence-differs'],
    [{ request: digest },                                         'request-differs'],
    [{ layers: [digest] },                                        'layers-differ'],
    [{ verdict: 'ok' },                                           'verdict-differs'],
    [{ endedIn: 'compile' },                                      'ending-differs'],
    [{ failure: 'sandbox-failed' },                               'ending-differs'],
    [{ run: null },                                               'ending-differs'],
    [{ run: { ...run, stdout: digest } },                         'output-differs'],
    [{ compile: { ...compile, stderr: digest } },                 'output-differs'],
    [{ run: { ...run, usage: { ...run.usage, oomKills: 1 } } },   'usage-differs'],
    [{ run: { ...run, startedAt: null } },                        'times-differ'],
    [{ run: { ...run, limits: compile.limits } },                 'limits-differ'],
    [{ run: { ...run, slot: 1 } },                                'ending-differs'],
    [{ more: 1 } as never,                                        'receipt-malformed'],
  ];
  for (const [changes, flaw] of wrong) assert.equal(flawOf(changes), flaw, JSON.stringify(changes));
});

test('a result that is not the one that was signed is refused, and so are layers that were not offered', () => {
  const changed: readonly (readonly [Partial<LeaseResultMessage>, ReceiptFlaw])[] = [
    [{ verdict: 'ok' }, 'verdict-differs'],
    [{ run: makeReport({ verdict: 'nonzero-exit', exitCode: 3, stdout: 'other' }) }, 'output-differs'],
    [{ compile: null }, 'ending-differs'],
    [{ layers: [] }, 'layers-differ'],
    [{ failure: { code: 'sandbox-failed', detail: '', isRetryable: false } }, 'ending-differs'],
  ];
  for (const [changes, flaw] of changed)
    assert.equal(flawOf({}, { ...result, ...changes }), flaw, JSON.stringify(changes));
  const receipt = signReceipt(statement, keys.agent);
  assert.equal(findFlaw(receipt, { ...facts, layers: layers.slice(1) }, result), 'layers-differ');
  const stranger = toTrustedKey(keys.stranger);
  assert.equal(findFlaw(receipt, { ...facts, key: stranger }, result), 'receipt-not-signed');
  for (const text of ['', 'x', `${receipt}A`, receipt.replace('.', '..')]) {
    assert.equal(findFlaw(text, facts, result), 'receipt-malformed', text);
  }
  const text = JSON.stringify(statement);
  assert.equal(findFlaw(signText(Buffer.from(text)), facts, result), null);
  for (const other of [
    ` ${text}`,
    text.replace('{', '{"agent":"agent_00000009",'),
    text.replace('exec', '\\u0065xec'),
  ]) {
    assert.equal(findFlaw(signText(Buffer.from(other)), facts, result), 'receipt-malformed', other.slice(0, 40));
  }
});

test('one is refused with its agent, its execution and the reason in the log; none at all passes', () => {
  const logged: unknown[] = [];
  const log = { warn: (fields: unknown) => logged.push(fields) };
  const fleet = { get: () => ({ key }) };
  const check = createReceiptCheck(fleet as never, log as never);
  const lease = { id: lessee.lease, fence: lessee.fence, agentId: lessee.agent, order } as never;
  assert.equal(check(lease, layers, result), null);
  assert.equal(check(lease, layers, { ...result, receipt: signReceipt(statement, keys.agent) }), null);
  const lie = { ...result, receipt: signReceipt({ ...statement, execution: 'exec_another' }, keys.agent) };
  const refusal = check(lease, layers, lie);
  assert.equal(refusal?.code, 'receipt-refused');
  assert.match(refusal?.message ?? '', /agent_00000001.*another execution/);
  const named = { agentId: lessee.agent, executionId: order.executionId, lease: lessee.lease };
  assert.deepEqual(logged, [{ ...named, reason: 'execution-differs' }]);
});

test('what was asked has another digest for any other script, argument, input, file or variable, and none for limits and ids', () => {
  const digest = digestOfAsked(order);
  const { compile, run, files } = order;
  assert.ok(compile !== null);
  const [file, ...others] = files;
  assert.ok(file !== undefined);
  const changed: Partial<typeof order>[] = [
    { compile: null },
    { compile: { ...compile, script: 'make ' } },
    { compile: { ...compile, variables: {} } },
    { run: { ...run, script: './main' } },
    { run: { ...run, arguments: [] } },
    { run: { ...run, arguments: ['é', ''] } },
    { run: { ...run, stdin: 'input\n' } },
    { run: { ...run, variables: { ...run.variables, OWN: '' } } },
    { files: others },
    { files: [...others, file] },
    { files: [{ ...file, path: 'main.h' }, ...others] },
    { files: [{ ...file, content: '' }, ...others] },
    { files: [{ ...file, executable: true }, ...others] },
  ];
  const all = changed.map((changes) => digestOfAsked({ ...order, ...changes }));
  assert.equal(new Set([digest, ...all]).size, changed.length + 1);
  const written = { ...run, stdin: Buffer.from(run.stdin).toString('base64'), stdinEncoding: 'base64' as const };
  assert.equal(
    digestOfAsked({ ...order, run: { ...written, limits: compile.limits }, executionId: 'x' } as never),
    digest,
  );
});

test('the client library takes and refuses the same statements and lists as the declarations, member by member', () => {
  const declared = { statement: TypeCompiler.Compile(ReceiptStatement), list: TypeCompiler.Compile(AgentKeyList) };
  const retired = { ...keyList, agents: [{ ...agentKey, retiredAt: agentKey.enrolledAt }] };
  let accepted = 0;
  const compare = (
    value: unknown,
    path: string,
    isOne: (value: unknown) => boolean,
    check: { Check(value: unknown): boolean },
  ) => {
    assert.equal(isOne(value), check.Check(value), path);
    if (isOne(value)) accepted++;
  };
  const values: readonly unknown[] = [
    ...verdicts,
    ...limitNames,
    null,
    true,
    -1,
    0,
    1,
    1.5,
    2 ** 53,
    1e300,
    '',
    'ok',
    'run',
    'x'.repeat(300),
    [],
    {},
    [''],
    { __proto__: null, constructor: 1 },
  ];
  const walk = (
    root: unknown,
    replace: (value: unknown) => unknown,
    path: string,
    ...kinds: [(value: unknown) => boolean, { Check(value: unknown): boolean }]
  ): void => {
    for (const value of values) compare(replace(value), `${path} = ${JSON.stringify(value)?.slice(0, 30)}`, ...kinds);
    if (typeof root !== 'object' || root === null) return;
    if (Array.isArray(root)) {
      compare(replace(Array.from({ length: 65 }, () => root[0])), `${path} of 65`, ...kinds);
      root.forEach(
        (item, index) => void walk(item, (value) => replace(root.with(index, value)), `${path}/${index}`, ...kinds),
      );
      return;
    }
    for (const name of ['more', 'constructor', 'hasOwnProperty', '__proto__']) {
      compare(
        replace(JSON.parse(`{${[`"${name}":1`, JSON.stringify(root).slice(1, -1)].filter(Boolean).join()}}`)),
        `${path}/+${name}`,
        ...kinds,
      );
    }
    for (const [name, member] of Object.entries(root)) {
      const { [name]: _, ...less } = root as Record<string, unknown>;
      compare(replace(less), `${path}/-${name}`, ...kinds);
      walk(member, (value) => replace({ ...root, [name]: value }), `${path}/${name}`, ...kinds);
    }
  };
  const start = { step: 'exec', errno: 'ENOENT', detail: '' };
  const exceeded = { limit: 'cpuTimeMs', allowed: 1, observed: 2 };
  const full = { ...statement, run: { ...statement.run, start, exceeded, signal: 'SIGKILL' } };
  walk(full, (value) => value, '', isStatement, declared.statement);
  walk(retired, (value) => value, '', isAgentKeyList, declared.list);
  assert.ok(accepted > 100, `${accepted} were accepted`);
});
