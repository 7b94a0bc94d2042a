/**
 * Owns tests in one request against a real coordinator, agent and launcher: compiled once, run for each test, compared, checked by programs, talked
 * with by interactors, stopped early, on many slots, and told one by one.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { verifyReceipt } from '../../client/typescript/client.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import { setStage } from '../support/agent-stage.ts';

type Stage = Awaited<ReturnType<typeof setStage>>;
type Request = Omit<ExecutionRequest, 'environment'>;

const outcomes = ({ tests }: Execution) => tests.map(({ outcome }) => outcome);
/** Reads two numbers and adds them. */
const adder = { script: 'read a b; echo $((a + b))' };

describe('tests in one request', () => {
  let stage: Stage;
  const ends: (() => unknown)[] = [];
  before(async () => {
    stage = await setStage({ after: (end) => void ends.push(end as () => unknown) });
    await stage.startAgent({ SLOTS: '4' });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const execute = (request: Request) => stage.execute(request);

  test('what was compiled once runs for each test', async () => {
    const answer = await execute({
      compile: { script: "echo compiled; printf 'read a b\\necho $((a + b))\\n' > add" },
      run: { script: 'sh add' },
      tests: [
        { name: 'small', stdin: '1 2\n', expected: '3\n' },
        { stdin: '20 22', expected: '42' },
        { stdin: '1 1\n', expected: '3' },
      ],
    });
    assert.equal(answer.stage, 'finished', JSON.stringify(answer.failure));
    assert.deepEqual(outcomes(answer), ['accepted', 'accepted', 'wrong-answer']);
    assert.deepEqual([answer.verdict, answer.endedIn], ['wrong-answer', 'tests']);
    assert.deepEqual(
      answer.tests.map(({ name }) => name),
      ['small', '2', '3'],
    );
    assert.equal(answer.compile?.stdout, 'compiled\n');
    assert.equal(answer.run, null);
    assert.deepEqual(answer.score, { points: 2, of: 3 });
    assert.equal(answer.tests[2]?.check?.message, 'line 1 is "2", expected "3"');
    assert.equal(answer.tests[0]?.report?.stdout, '3\n');
    assert.ok(answer.receipt);
  });

  test('each test has its own sandbox: nothing of one is left to the next', async () => {
    const answer = await execute({
      run: { script: 'cat left 2>/dev/null || true; echo mine > left; echo "$@"', arguments: ['default'] },
      tests: [{ expected: 'default' }, { arguments: ['own', 'two'], expected: 'own two' }, { expected: 'default' }],
    });
    assert.deepEqual(outcomes(answer), ['accepted', 'accepted', 'accepted']);
    assert.equal(answer.verdict, 'accepted');
  });

  test('a program that fails has its own verdict, and what failed to compile has no tests', async () => {
    const failing = await execute({
      run: { script: 'read n; [ "$n" = ok ] && echo ok; kill -SEGV $$', limits: { wallTimeMs: 2000 } },
      tests: [{ stdin: 'ok\n', expected: 'ok' }, { stdin: 'no\n' }],
    });
    assert.deepEqual(outcomes(failing), ['signaled', 'signaled']);
    assert.deepEqual([failing.verdict, failing.endedIn], ['signaled', 'tests']);
    const broken = await execute({ compile: { script: 'exit 4' }, run: adder, tests: [{ stdin: '1 2\n' }, {}] });
    assert.deepEqual([broken.verdict, broken.endedIn, broken.compile?.exitCode], ['nonzero-exit', 'compile', 4]);
    assert.deepEqual(outcomes(broken), ['skipped', 'skipped']);
    assert.deepEqual(broken.score, { points: 0, of: 2 });
  });

  test('it stops after failures, and subtasks need each other', async () => {
    const wrong = { stdin: '1 1\n', expected: '3' };
    const right = { stdin: '1 1\n', expected: '2' };
    const stopped = await execute({ run: adder, tests: [wrong, right, wrong, right], stopAfterFailures: 2 });
    assert.deepEqual(outcomes(stopped), ['wrong-answer', 'accepted', 'wrong-answer', 'skipped']);
    const grouped = await execute({
      run: adder,
      groups: [
        { name: 'small', points: 30 },
        { name: 'large', points: 70, requires: ['small'] },
        { name: 'other', points: 5 },
      ],
      tests: [
        { ...right, group: 'small' },
        { ...wrong, group: 'small' },
        { ...right, group: 'large' },
        { ...right, group: 'other' },
      ],
    });
    assert.deepEqual(outcomes(grouped), ['accepted', 'wrong-answer', 'skipped', 'accepted']);
    assert.deepEqual(grouped.score, { points: 5, of: 105 });
  });

  test('on many slots it comes to the same as on one', async () => {
    const tests = Array.from({ length: 24 }, (_, index) => ({
      stdin: `${index} 1\n`,
      expected: index % 7 === 6 ? 'wrong' : String(index + 1),
    }));
    const request: Request = { run: adder, tests, stopAfterFailures: 3 };
    const [one, many] = [await execute(request), await execute({ ...request, testsAtOnce: 4 })];
    assert.deepEqual(outcomes(many), outcomes(one));
    assert.deepEqual([many.score, many.verdict], [one.score, one.verdict]);
    const slots = new Set(many.tests.flatMap(({ report }) => (report === null ? [] : [report.slot])));
    assert.ok(slots.size > 1, 'several slots were used');
    assert.deepEqual(new Set(one.tests.flatMap(({ report }) => (report === null ? [] : [report.slot]))).size, 1);
  });

  test('output is compared whole, and told in part', async () => {
    const answer = await execute({
      run: { script: 'i=0; while [ $i -lt 9000 ]; do echo äöü$i; i=$((i+1)); done', limits: { cpuTimeMs: 20_000 } },
      tests: [{ expected: Array.from({ length: 9000 }, (_, index) => `äöü${index}`).join('\n') }],
    });
    assert.deepEqual(outcomes(answer), ['accepted']);
    const report = answer.tests[0]?.report;
    assert.equal(report?.stdoutTruncated, true);
    assert.equal(report.stdoutEncoding, 'utf8');
    assert.ok(report.stdout.length < 16_385 && report.usage.outputBytes > 60_000);
  });

  describe('a check program', () => {
    /** By testlib's convention: input, output and answer are files; it accepts any output that has as many words as the answer. */
    const checker = {
      kind: 'program' as const,
      files: [{ path: 'check.sh', content: 'set -- "$@"; i=$(cat "$1"); o=$(wc -w < "$2"); a=$(wc -w < "$3")\n' }],
      compile: { script: 'cat check.sh tail.sh > whole.sh' },
      run: { script: 'sh whole.sh "$@"' },
    };
    const withTail = (tail: string) => ({
      ...checker,
      files: [...checker.files, { path: 'tail.sh', content: tail }],
    });
    const judged = (tail: string) =>
      execute({ run: { script: 'cat' }, tests: [{ stdin: 'a b', expected: 'x y' }], check: withTail(tail) });

    test('decides by its exit code and says why', async () => {
      const accepting = await judged('[ $o -eq $a ] && { echo "ok $o words of $i" >&2; exit 0; }; exit 1');
      assert.deepEqual(outcomes(accepting), ['accepted'], JSON.stringify(accepting.tests));
      assert.equal(accepting.tests[0]?.check?.message, 'ok 2 words of a b');
      assert.equal(accepting.check?.compile?.verdict, 'ok');
      const refusing = await judged('echo "wrong answer: $o" >&2; exit 1');
      assert.deepEqual(outcomes(refusing), ['wrong-answer']);
      assert.deepEqual([refusing.verdict, refusing.endedIn], ['wrong-answer', 'tests']);
      const partly = await judged('echo "points 0.25 a quarter" >&2; exit 7');
      assert.deepEqual([outcomes(partly), partly.score], [['wrong-answer'], { points: 0.25, of: 1 }]);
    });

    test('that fails, lies about points, dies or never ends has failed, and not the solution', async () => {
      for (const tail of ['exit 3', 'exit 99', 'kill -ABRT $$', 'echo "points 7" >&2; exit 7']) {
        const answer = await judged(tail);
        assert.deepEqual(outcomes(answer), ['checker-failed'], tail);
        assert.deepEqual([answer.verdict, answer.endedIn], ['checker-failed', 'check']);
      }
      const check = { ...withTail('sleep 60'), run: { ...checker.run, limits: { wallTimeMs: 500 } } };
      const endless = await execute({ run: adder, tests: [{ stdin: '1 1\n' }], check });
      assert.deepEqual(outcomes(endless), ['checker-failed']);
      assert.match(endless.tests[0]?.check?.message ?? '', /wall-time-exceeded/);
    });

    test('that does not compile ends it with its own report', async () => {
      const check = { ...withTail(''), compile: { script: 'echo "no such function" >&2; exit 1' } };
      const answer = await execute({ run: adder, tests: [{ stdin: '1 1\n' }], check });
      assert.deepEqual([answer.verdict, answer.endedIn], ['checker-failed', 'check']);
      assert.equal(answer.check?.compile?.stderr, 'no such function\n');
      assert.deepEqual(outcomes(answer), ['skipped']);
    });

    test('is compiled once for a tenant, and not at all when nothing of it has changed', async () => {
      const stamp =
        'cat /proc/sys/kernel/random/uuid > stamp; cat check.sh tail.sh stamp > whole.sh; echo : >> whole.sh';
      const check = { ...withTail('exit 0\n#'), compile: { script: `${stamp}; cat stamp` } };
      const run = () => execute({ run: adder, tests: [{ stdin: '1 1\n' }], check });
      const [first, second] = [await run(), await run()];
      assert.deepEqual([outcomes(first), outcomes(second)], [['accepted'], ['accepted']]);
      assert.equal(second.check?.compile?.stdout, first.check?.compile?.stdout);
      const changed = await execute({
        ...{ run: adder, tests: [{ stdin: '1 1\n' }] },
        check: { ...check, compile: { script: `${stamp}; cat stamp # other` } },
      });
      assert.notEqual(changed.check?.compile?.stdout, first.check?.compile?.stdout);
    });
  });

  describe('an interactor', () => {
    /** Thinks of the number in its input, answers guesses with less or more, and accepts when it was found. */
    const interactor = {
      kind: 'interactor' as const,
      run: {
        script: [
          'n=$(cat "$1"); tries=0; echo 100',
          'while read guess; do tries=$((tries + 1))',
          'if [ "$guess" -eq "$n" ]; then echo found; echo "ok $tries tries" >&2; exit 0; fi',
          'if [ "$guess" -lt "$n" ]; then echo more; else echo less; fi; done; echo "gave up" >&2; exit 1',
        ].join('\n'),
      },
    };
    const finder = [
      'read high; low=1',
      'while :; do m=$(((low + high) / 2)); echo $m; read said',
      'case $said in found) exit 0;; more) low=$((m + 1));; less) high=$((m - 1));; esac; done',
    ].join('\n');

    test('talks with the solution', async () => {
      const tests = [{ stdin: '37' }, { stdin: '1' }, { stdin: '100' }];
      const answer = await execute({ run: { script: finder }, tests, check: interactor });
      assert.deepEqual(outcomes(answer), ['accepted', 'accepted', 'accepted'], JSON.stringify(answer.tests));
      assert.match(answer.tests[0]?.check?.message ?? '', /^ok \d tries$/);
      assert.equal(answer.tests[0]?.check?.report?.verdict, 'ok');
    });

    test('sees the end of a solution that gives up, and the solution sees its end', async () => {
      const giving = await execute({ run: { script: 'read high' }, tests: [{ stdin: '5' }], check: interactor });
      assert.deepEqual(outcomes(giving), ['wrong-answer']);
      const crashing = await execute({
        run: { script: 'read high; kill -SEGV $$' },
        ...{ tests: [{ stdin: '5' }], check: interactor },
      });
      assert.deepEqual(outcomes(crashing), ['signaled']);
      const early = { kind: 'interactor' as const, run: { script: 'echo "too slow" >&2; exit 1' } };
      const waiting = await execute({ run: { script: 'while read x; do :; done' }, tests: [{}], check: early });
      assert.deepEqual(outcomes(waiting), ['wrong-answer']);
    });

    test('when both wait for each other the idle limit ends it, and who waited is said', async () => {
      const answer = await execute({
        run: { script: 'echo 1; read a; read b', limits: { idleTimeMs: 500 } },
        tests: [{}],
        check: { kind: 'interactor', run: { script: 'read x; echo hello; read y' } },
      });
      assert.deepEqual(outcomes(answer), ['idle-time-exceeded']);
      assert.match(answer.tests[0]?.check?.message ?? '', /^The interactor spoke last/);
    });
  });

  test('receipts state the tests, and nothing of them can be changed', async () => {
    const { coordinator } = stage;
    const agentKeys: Envelope = await (await coordinator.ask('GET', '/v1/agents/keys')).json();
    const { keys } = await (await coordinator.ask('GET', '/v1/cache/keys')).json();
    const known = { agentKeys, signingKeyIds: keys.map(({ keyid }: { keyid: string }) => keyid), tenant: 'local' };
    const tests = [
      { stdin: '1 2\n', expected: '3' },
      { name: 'second', stdin: '1 1\n', expected: '3', group: 'a' },
    ];
    const program = {
      kind: 'program' as const,
      compile: { script: 'echo made' },
      run: { script: 'read o < "$2"; read a < "$3" || :; [ $o = $a ]' },
    };
    const checks: (Request['check'] | undefined)[] = [
      ...[undefined, { kind: 'float' as const }, program, { ...program, compile: { script: 'exit 1' } }],
      ...[{ ...program, environment: { base: 'debian-13' as const, variables: { A: 'b' } } }],
      { kind: 'interactor', run: { script: 'echo "3 4"; read sum; [ "$sum" = 7 ]' } },
    ];
    for (const check of checks) {
      const request: ExecutionRequest = {
        environment: { base: 'debian-13', variables: { X: 'y' } },
        ...{ run: adder, tests, ...(check === undefined ? {} : { check }) },
      };
      const execution = await stage.execute(request);
      const verdict = await verifyReceipt({ ...known, execution, request });
      assert.ok(verdict.isValid, JSON.stringify([verdict, execution]));
      const changed = structuredClone(execution);
      const [first] = changed.tests;
      if (first === undefined) throw new Error('there is no test');
      first.outcome = first.outcome === 'accepted' ? 'wrong-answer' : 'accepted';
      const refused = await verifyReceipt({ ...known, execution: changed });
      assert.equal(refused.isValid ? null : refused.reason, 'tests-differ');
      const other = { ...request, tests: [{ ...tests[0], expected: '4' }, ...tests.slice(1)] };
      const unasked = await verifyReceipt({ ...known, execution, request: other });
      assert.equal(unasked.isValid ? null : unasked.reason, 'request-differs');
    }
  });

  test('tests are told one by one', async () => {
    const { coordinator } = stage;
    const posted = await coordinator.ask('POST', '/v1/executions', {
      environment: { base: 'debian-13' },
      ...{
        run: adder,
        tests: [
          { stdin: '1 2\n', expected: '3' },
          { stdin: '1 2\n', expected: '4' },
        ],
      },
    });
    const { id } = (await posted.json()) as Execution;
    const events = await (await coordinator.ask('GET', `/v1/executions/${id}/events`)).text();
    const told = [...events.matchAll(/event: test\ndata: (.*)\n/g)].map(([, data]) => JSON.parse(data ?? ''));
    assert.deepEqual(
      told.map(({ index, name, outcome }) => [index, name, outcome]),
      [
        [0, '1', 'accepted'],
        [1, '2', 'wrong-answer'],
      ],
    );
  });
});
