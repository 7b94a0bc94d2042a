/**
 * Owns the proof that one execution is one trace: a client's span above it, then coordinator, agent and sandbox, each span under the right one; and that
 * nobody hears of what is not looked at. A real coordinator, agent process and launcher; the collector is a stub that speaks OTLP over HTTP.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, systemRandom } from '../../shared/clock.ts';
import { silentLogger } from '../../shared/logger.ts';
import { OtlpTracer } from '../../shared/tracing/otlp-tracer.ts';
import { setStage } from '../support/agent-stage.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';
import { type CollectedSpan, SpanCollector } from '../support/span-collector.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const clientSpan = 'b7ad6b7169203331';
const request = { environment: { base: 'debian-13' }, compile: { script: 'true' }, run: { script: 'true' } };

async function startTracing(t: { after(end: () => Promise<void>): void }, percent = 100) {
  const collector = await SpanCollector.start();
  const needs = { clock: systemClock, random: systemRandom, log: silentLogger };
  const options = { url: collector.url, service: 'envicutor-coordinator', instance: 'here', percent };
  const tracer = new OtlpTracer(needs, options);
  t.after(async () => {
    await tracer.close();
    await collector.stop();
  });
  return { collector, tracer };
}

/** The names from a span up to the client's. */
function pathOf(span: CollectedSpan, spans: readonly CollectedSpan[]): string {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  if (parent === undefined) return `${span.parentSpanId === clientSpan ? 'client' : '?'} / ${span.name}`;
  return `${pathOf(parent, spans)} / ${span.name}`;
}

test('an execution is one trace, from the client through coordinator, agent and sandbox', async (t) => {
  const { collector, tracer } = await startTracing(t);
  const { coordinator, startAgent } = await setStage(t, null, {}, null, { tracer });
  const agent = await startAgent({ TRACES_URL: collector.url });
  const headers = { traceparent: `00-${traceId}-${clientSpan}-01` };
  const answer = await coordinator.ask('POST', '/v1/executions?wait=20', request, headers);
  const { id, verdict } = await answer.json();
  assert.equal(verdict, 'ok');
  await agent.end('SIGTERM');
  await collector.until((spans) =>
    ['POST /v1/executions', 'agent lease'].every((name) => spans.some((span) => span.name === name)),
  );

  const { spans } = collector;
  assert.deepEqual([...new Set(spans.map((span) => span.traceId))], [traceId]);
  const execution = 'client / POST /v1/executions / execution';
  const lease = `${execution} / lease / agent lease`;
  const steps = ['take', 'mount', 'exec', 'run', 'collect'].map((step) => `sandbox ${step}`);
  const expected = [
    ...[
      'client / POST /v1/executions',
      execution,
      `${execution} / build`,
      `${execution} / queue`,
      `${execution} / queue`,
    ],
    ...[`${execution} / lease`, lease, `${lease} / fetch`, `${lease} / compile`, `${lease} / run`],
    ...steps.flatMap((step) => [`${lease} / compile / ${step}`, `${lease} / run / ${step}`]),
  ];
  assert.deepEqual(spans.map((span) => pathOf(span, spans)).sort(), expected.sort());
  for (const { name, service, startTimeUnixNano, endTimeUnixNano, attributes } of spans) {
    const isAgents = /^(agent lease|fetch|compile|run|sandbox .*)$/.test(name);
    assert.equal(service, isAgents ? 'envicutor-agent' : 'envicutor-coordinator', name);
    assert.ok(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano), name);
    const named = attributes.find(({ key }) => key === 'envicutor.execution.id')?.value['stringValue'];
    assert.equal(named, name.startsWith('POST') ? undefined : id, name);
  }
});

test('a client that does not look, and what is left out, are told to nobody; an older agent is sent no trace', async (t) => {
  const { collector, tracer } = await startTracing(t, 0);
  const coordinator = await startCoordinator(t, {}, null, { tracer });
  const understands = ['order.environment', 'order.trace'];
  const agents = await Promise.all([
    coordinator.join({
      understands,
      labels: { age: 'new' },
      offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
    }),
    coordinator.join({
      labels: { age: 'old' },
      offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
    }),
  ]);
  const ask = async (age: string, traceparent: string | null) => {
    const headers = traceparent === null ? {} : { traceparent };
    const body = { environment: { base: 'debian-13' }, run: { script: 'true' }, placement: { labels: { age } } };
    assert.equal((await coordinator.ask('POST', '/v1/executions?wait=20', body, headers)).status, 200);
  };
  await ask('new', null);
  await ask('new', `00-${traceId}-${clientSpan}-00`);
  await ask('new', 'nothing of the kind');
  await ask('old', `00-${traceId}-${clientSpan}-01`);
  await ask('new', `00-${traceId}-${clientSpan}-01`);
  const tracesOf = (agent: (typeof agents)[number]) =>
    agent.said.flatMap((message) => (message.type === 'lease.offer' ? [message.order.trace ?? null] : []));
  const [newer, older] = agents;
  assert.deepEqual(tracesOf(older), [null]);
  assert.deepEqual(
    tracesOf(newer).map((trace) => trace?.slice(0, 36) ?? null),
    [null, null, null, `00-${traceId}-`],
  );
  await tracer.close();
  assert.deepEqual([...new Set(collector.spans.map((span) => span.traceId))], [traceId]);
  assert.equal(collector.spans.filter(({ name }) => name === 'execution').length, 2);
});

test('a collector that is away costs spans and nothing else, and is told of once', async (t) => {
  const collector = await SpanCollector.start();
  const said: string[] = [];
  const log = { warn: (_fields: object, message: string) => void said.push(message) };
  const options = { url: collector.url, service: 's', instance: 'i', percent: 100 };
  const tracer = new OtlpTracer({ clock: systemClock, random: systemRandom, log }, options);
  t.after(() => collector.stop());
  const span = () => {
    const context = tracer.begin(null);
    assert.ok(context !== null);
    tracer.record({
      ...{ name: 'one', context, parentSpanId: null, kind: 'internal', startMs: 1, endMs: 2 },
      ...{ attributes: {}, isFailed: false },
    });
  };
  collector.status = 503;
  for (let count = 0; count < 10_000; count += 1) span();
  await tracer.close();
  assert.equal(collector.spans.length, 4096);
  assert.deepEqual(said, ['spans not taken by the collector']);
  span();
  assert.equal(collector.spans.length, 4096);
});
