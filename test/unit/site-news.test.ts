/**
 * Owns the proof that what has ended at a site is told until it is recorded, a bounded part at a time. Never keeps anything.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalExecution } from '../../agent/site/local-execution.ts';
import { SiteNews, toEndedExecution } from '../../agent/site/site-news.ts';
import { silentLogger } from '../../shared/logger.ts';
import { type AgentMessage, decodeAgentMessage } from '../../shared/protocol/agent-messages.ts';
import { encodeMessage } from '../../shared/protocol/catalog.ts';
import { makeReport } from '../support/lease-results.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const environment = { id: 'env_00000000', variables: {}, scope: 'shared' as const, layers: [] };
const request = { environment: 'env_00000000', run: { script: 'true' } };

function toEnded(id: string, stdout = '', stdoutEncoding: 'utf8' | 'base64' = 'utf8') {
  const createdAt = '2026-01-01T00:00:00.000Z';
  const terms = { id, tenantId: 'one', request, characters: 1, createdAt, isDurable: true, agent: null };
  const answer = new LocalExecution(new VirtualClock(), terms, environment).toAnswer();
  const run = makeReport({ stdout, stdoutEncoding });
  return { tenantId: 'one', answer: { ...answer, stage: 'finished' as const, run, finishedAt: terms.createdAt } };
}

function setStage(count: number) {
  const clock = new VirtualClock();
  const untold = Array.from({ length: count }, (_, index) => `exec_${String(index).padStart(8, '0')}`);
  const refused = new Set<string>();
  const said: Extract<AgentMessage, { type: 'executions.ended' }>[] = [];
  let isThere = true;
  const records = {
    untold: (max: number) => untold.filter((id) => !refused.has(id)).slice(0, max),
    ended: async (id: string) => toEnded(id),
    told: async (id: string) => void untold.splice(untold.indexOf(id), 1),
    refused: (id: string) => void refused.add(id),
    retell: () => refused.clear(),
  };
  const send = (message: AgentMessage) => {
    if (isThere && message.type === 'executions.ended') said.push(message);
    return isThere;
  };
  const news = new SiteNews({ clock, logger: silentLogger, records, send });
  const turn = async () => {
    for (let count = 0; count < 100; count += 1) await Promise.resolve();
  };
  const cut = (isCut: boolean) => {
    isThere = !isCut;
  };
  return { clock, news, untold, said, turn, cut };
}

test('a coordinator that does not understand it is told nothing; another is told a part at a time, again until it answers', async () => {
  const { clock, news, untold, said, turn } = setStage(25);
  news.welcomed([]);
  await turn();
  assert.equal(said.length, 0);
  news.welcomed(['executions.ended']);
  news.tell();
  await turn();
  assert.deepEqual(
    said.map(({ executions }) => executions.length),
    [20],
  );
  clock.pass(10_001);
  await turn();
  assert.deepEqual(said[1], said[0]);
  const ids = said[1]?.executions.map(({ executionId }) => executionId) ?? [];
  const refusal = { executionId: ids[0] ?? '', code: 'forbidden', detail: 'no' };
  news.recorded({ type: 'executions.recorded', executions: ids.slice(1), refused: [refusal] });
  await turn();
  assert.deepEqual([untold.length, said.length, said[2]?.executions.length], [6, 3, 5]);
  assert.ok(!said[2]?.executions.some(({ executionId }) => executionId === ids[0]));
  news.welcomed(['executions.ended']);
  await turn();
  assert.ok(!said[3]?.executions.some(({ executionId }) => executionId === ids[0]), 'a link may come and go');
  clock.pass(3_600_000);
  await turn();
  news.welcomed(['executions.ended']);
  await turn();
  assert.equal(said.at(-1)?.executions[0]?.executionId, ids[0], 'after an hour it is asked once more');
});

test('what could neither be recorded nor refused waits; a connection that is away loses nothing', async () => {
  const { clock, news, said, turn, cut } = setStage(1);
  news.welcomed(['executions.ended']);
  await turn();
  news.recorded({ type: 'executions.recorded', executions: [], refused: [] });
  await turn();
  assert.equal(said.length, 1);
  clock.pass(10_001);
  await turn();
  assert.equal(said.length, 2);
  cut(true);
  clock.pass(10_001);
  await turn();
  cut(false);
  news.welcomed(['executions.ended']);
  await turn();
  assert.equal(said.length, 3);
  news.stop();
  clock.pass(60_000);
  await turn();
  assert.equal(said.length, 3);
});

test('output is cut where it stays what it is, and says so', () => {
  const cut = (stdout: string, encoding: 'utf8' | 'base64' = 'utf8') => {
    const execution = toEndedExecution(toEnded('exec_00000000', stdout, encoding));
    decodeAgentMessage(encodeMessage({ type: 'executions.ended', executions: [execution] }));
    return execution.run;
  };
  assert.deepEqual([cut('short')?.stdout, cut('short')?.stdoutTruncated], ['short', false]);
  const pairs = cut(`x${'😀'.repeat(10_000)}`);
  assert.deepEqual([pairs?.stdout.length, pairs?.stdout.isWellFormed(), pairs?.stdoutTruncated], [16_383, true, true]);
  const bytes = Buffer.alloc(60_000, 0xff);
  const base64 = cut(bytes.toString('base64'), 'base64')?.stdout ?? '';
  assert.ok(bytes.subarray(0, 12_288).equals(Buffer.from(base64, 'base64')));
});
