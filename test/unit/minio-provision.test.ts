/**
 * Owns the proof that a store is prepared although it was started a moment ago, by a server that answers as MinIO does then. No MinIO.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createCredentials, provisionMinio } from '../../ops/minio/provision.ts';
import { SystemError } from '../../shared/errors.ts';

/** A server that gives each request these answers in turn, the last one for ever. */
async function serve(test: { after(action: () => void): void }, answers: readonly { code: number; body: string }[]) {
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    const what = `${request.method} ${request.url}`;
    const count = asked.get(what) ?? 0;
    asked.set(what, count + 1);
    const { code, body } = answers[Math.min(count, answers.length - 1)] as { code: number; body: string };
    request.resume();
    response.writeHead(code).end(body);
  }).listen(0, '127.0.0.1');
  test.after(() => server.close());
  await once(server, 'listening');
  const users = { reader: createCredentials(), writer: createCredentials(), purger: createCredentials() };
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const prepare = () =>
    provisionMinio({
      endpoint,
      region: 'us-east-1',
      root: createCredentials(),
      bucket: 'layers',
      users,
      retentionDays: 7,
    });
  return { asked, prepare };
}

const starting = { code: 503, body: '<Error><Code>XMinioServerNotInitialized</Code></Error>' };

test('a server that is still starting is asked again', async (t) => {
  const { asked, prepare } = await serve(t, [starting, starting, { code: 200, body: '' }]);
  await prepare();
  assert.deepEqual([...asked.values()], [3, 3, 3]);
});

test('another refusal is told at once, with what the server said', async (t) => {
  const { asked, prepare } = await serve(t, [{ code: 503, body: '<Error><Code>SlowDown</Code></Error>' }]);
  await assert.rejects(
    prepare(),
    (error) => error instanceof SystemError && /answered 503: .*SlowDown/.test(error.message),
  );
  assert.deepEqual([...asked.values()], [1]);
});
