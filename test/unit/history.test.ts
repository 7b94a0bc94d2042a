/**
 * Owns the proof that the history checker sees each thing that can't be, and nothing in a history that can.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Execution } from '../../shared/model/execution.ts';
import { History } from '../support/history.ts';

const running = { id: 'exec_a', stage: 'running', finishedAt: null } as Execution;
const ended = { id: 'exec_a', stage: 'finished', verdict: 'ok', finishedAt: 'then' } as Execution;

function begin(): History {
  const history = new History((_key, answer) => answer.verdict === 'ok');
  history.acceptedAs('one', 'k', 'exec_a');
  return history;
}
const tell = (history: History, answer: Execution | null, tenantId = 'one') =>
  history.told({ id: 'exec_a', tenantId, answer });
const rules = (history: History) => history.check().map(({ rule }) => rule);

test('a history that can be is found to be right', () => {
  const history = begin();
  history.acceptedAs('one', 'k', 'exec_a');
  for (const answer of [running, running, ended, ended]) tell(history, answer);
  tell(history, null, 'two');
  assert.deepEqual(history.check(), []);
  assert.deepEqual([history.accepted, history.ended], [1, 1]);
});

for (const [rule, happen] of Object.entries({
  lost: (history: History) => [tell(history, null), tell(history, ended)],
  'never-ended': (history: History) => tell(history, running),
  changed: (history: History) => [tell(history, ended), tell(history, { ...ended, attempts: 2 } as Execution)],
  'went-back': (history: History) => [tell(history, ended), tell(history, running)],
  foreign: (history: History) => [tell(history, ended), tell(history, ended, 'two')],
  'two-for-one-key': (history: History) => {
    history.acceptedAs('one', 'k', 'exec_b');
    history.told({ id: 'exec_b', tenantId: 'one', answer: { ...ended, id: 'exec_b' } as Execution });
    tell(history, ended);
  },
  wrong: (history: History) => tell(history, { ...ended, verdict: 'signaled' } as Execution),
})) {
  test(`what can not be is found: ${rule}`, () => {
    const history = begin();
    happen(history);
    assert.deepEqual(rules(history), [rule]);
  });
}
