/**
 * Owns the cases of wrong requests: problem+json with a pointer, and nothing started.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem } from '../../support/api-client.ts';
import { checkedFetch } from '../../support/checked-fetch.ts';
import type { Instance } from '../../support/instance.ts';

const run = { script: 'true' };
const file = (path: string): object => ({ path, content: '' });

// biome-ignore format: a table is read by row
const wrong: [string, unknown, number, string, RegExp | null, RegExp | null][] = [
  ['malformed JSON',                '{"run": ',                                                          400, 'request-invalid',       null,                       null],
  ['an unknown field',              { environment: {}, run, enviroment: {} },                            400, 'request-invalid',       /^\/enviroment$/,           /environment/],
  ['a field of the wrong type',     { environment: {}, run: { script: 5 } },                             400, 'request-invalid',       /^\/run\/script$/,          null],
  ['a missing run',                 { environment: {} },                                                 400, 'request-invalid',       /run/,                      null],
  ['too many files',                { environment: {}, run, files: Array.from({ length: 1001 }, (_, index) => file(`f${index}`)) }, 400, 'request-invalid', /^\/files/, null],
  ['a path with ..',                { environment: {}, run, files: [file('a/../b')] },                   400, 'request-invalid',       /^\/files\/0\/path$/,       null],
  ['an absolute path',              { environment: {}, run, files: [file('/etc/passwd')] },              400, 'request-invalid',       /^\/files\/0\/path$/,       null],
  ['a path with NUL',               { environment: {}, run, files: [file('a\u0000b')] },                 400, 'request-invalid',       /^\/files\/0\/path$/,       null],
  ['a duplicate path',              { environment: {}, run, files: [file('a'), file('a')] },             400, 'request-invalid',       /^\/files\/1\/path$/,       null],
  ['a file over a directory',       { environment: {}, run, files: [file('a/b'), file('a')] },           400, 'request-invalid',       /^\/files\/\d\/path$/,      null],
  ['a negative limit',              { environment: {}, run: { ...run, limits: { cpuTimeMs: -1 } } },     400, 'request-invalid',       /^\/run\/limits\/cpuTimeMs$/, null],
  ['a limit above the maximum',     { environment: {}, run: { ...run, limits: { cpuTimeMs: 1e12 } } },   400, 'limit-above-maximum',   /^\/run\/limits\/cpuTimeMs$/, /300000/],
  ['an unknown environment',        { environment: 'env_00000000000000000000000000', run },              404, 'environment-not-found', null,                       null],
];

/** Registers the cases. */
export function badInputCases(instance: Instance): void {
  for (const [name, body, status, code, pointer, detail] of wrong) {
    test(`${name} is answered by ${status} ${code} and starts nothing`, async () => {
      const answer = await instance.api.post<Problem>('/v1/executions?wait=true', body);
      assert.equal(answer.status, status, JSON.stringify(answer.body));
      assert.match(answer.headers.get('content-type') ?? '', /application\/problem\+json/);
      assert.equal(answer.body.code, code, JSON.stringify(answer.body));
      if (pointer !== null) assert.match(answer.body.errors[0]?.pointer ?? '', pointer);
      if (detail !== null) assert.match(JSON.stringify(answer.body.errors), detail);
    });
  }

  test('a body over the allowed size is refused with that size', async () => {
    const answer = await instance.api.post<Problem>('/v1/executions', {
      environment: {},
      run: { script: 'true', stdin: 'x'.repeat(52 * 1024 * 1024) },
    });
    assert.deepEqual([answer.status, answer.body.code], [413, 'body-too-large']);
    assert.match(answer.body.detail, /33554432/);
  });

  test('another origin, another host and another content type are refused', async () => {
    const url = `${instance.api.baseUrl}/v1/executions`;
    const body = JSON.stringify({ environment: {}, run });
    const foreign = await checkedFetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', origin: 'https://example.org' },
    });
    assert.equal(foreign.status, 403);
    const form = await checkedFetch(url, { method: 'POST', body, headers: { 'content-type': 'text/plain' } });
    assert.equal(form.status, 415);
  });
}
