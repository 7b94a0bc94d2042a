/**
 * Owns what pages of other origins get: nothing that they could read, unless the operator named their origin, and then no more than a key gives.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import { CoordinatorConfig } from '../../coordinator/config.ts';
import { findConfigProblems } from '../../coordinator/config-problems.ts';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { environment, run } from '../support/bad-requests.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';

const page = { origin: 'https://contest.example' };
const key = { authorization: 'Bearer key-one' };
const keys = createKeyRing({
  tenants: [{ id: 'one', isOperator: true, keys: [{ name: 'first', sha256: digestHex(digestOf('key-one')) }] }],
});
const wish = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };

test('a page of a named origin asks first without a key, then with one, and reads answers, errors and events', async (t) => {
  const coordinator = await startCoordinator(t, { corsOrigins: [page.origin] }, keys);
  const { ask } = coordinator;
  const allowed = (answer: Pick<Response, 'headers'>) => answer.headers.get('access-control-allow-origin');
  const first = await fetch(`${coordinator.url}/v1/executions`, { method: 'OPTIONS', headers: { ...page, ...wish } });
  assert.deepEqual([first.status, allowed(first)], [204, page.origin]);
  assert.match(first.headers.get('access-control-allow-methods') ?? '', /POST/);
  assert.match(first.headers.get('access-control-allow-headers') ?? '', /authorization.*idempotency-key/);
  const made = await ask('POST', '/v1/executions', { environment, run }, { ...page, ...key });
  assert.deepEqual([made.status, allowed(made), made.headers.get('vary')], [202, page.origin, 'origin']);
  assert.match(made.headers.get('access-control-expose-headers') ?? '', /location/);
  const { id } = await made.json();
  const stream = await ask('GET', `/v1/executions/${id}/events`, undefined, { ...page, ...key });
  assert.equal(allowed(stream), page.origin);
  await stream.body?.cancel();
  const refused = await ask('GET', '/v1/executions', undefined, page);
  assert.deepEqual([refused.status, allowed(refused)], [401, page.origin]);
});

test('a page of another origin, and any where none is named, can read nothing', async (t) => {
  const named = await startCoordinator(t, { corsOrigins: [page.origin] }, keys);
  const unnamed = await startCoordinator(t, {}, keys);
  const other = { origin: 'https://contest.example.evil.example' };
  for (const [{ url }, origin] of [
    [named, other],
    [unnamed, page],
  ] as const) {
    const first = await fetch(`${url}/v1/executions`, { method: 'OPTIONS', headers: { ...origin, ...wish } });
    assert.equal(first.headers.get('access-control-allow-origin'), null);
    const answer = await fetch(`${url}/v1/executions`, { headers: { ...origin, ...key } });
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  }
});

test('origins are named with their scheme and without a path, and only where keys are needed', () => {
  const problems = (changes: Partial<CoordinatorConfig>) =>
    findConfigProblems({ ...Value.Create(CoordinatorConfig), ...changes }).join('\n');
  assert.match(problems({ corsOrigins: [page.origin] }), /corsOrigins needs tenantsFile/);
  assert.match(problems({ corsOrigins: ['contest.example'], tenantsFile: 'x' }), /'contest\.example' is no origin/);
  assert.match(problems({ corsOrigins: [`${page.origin}/`], tenantsFile: 'x' }), /is no origin/);
  assert.equal(problems({ corsOrigins: [page.origin, '*'], tenantsFile: 'x' }), '');
});
