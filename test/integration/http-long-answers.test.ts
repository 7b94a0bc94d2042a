/**
 * Owns what becomes of answers of megabytes: they arrive whole, leave in pieces so that others are served meanwhile, and are kept for nobody who reads nothing.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Type } from '@sinclair/typebox';
import { systemRandom } from '../../shared/clock.ts';
import { createStrictServer, serverDefaults } from '../../shared/http/server.ts';
import type { Logger } from '../../shared/logger.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const text = `${'aé€😀'.repeat(400_000)}end`;

/** Long texts between short ones, many of the one that are long together only, and texts that look like a frame of them. */
const bySchema = {
  text,
  list: [
    ...Array.from({ length: 300 }, (_, index) => ({ text: `${index} \0"\\`.repeat(500) })),
    ...['', '","', '"', text.slice(0, 4096), `${text}\ud83d`, '\udc00'.repeat(200_000), 'end'].map((each) => ({
      text: each,
    })),
  ],
};

async function serve(t: TestContext, answerStallMsMax = serverDefaults.answerStallMsMax) {
  const quiet = { error: () => 0 } as never as Logger;
  const deps = { log: quiet, random: systemRandom, admit: () => undefined, who: 'test', description: 'nowhere' };
  const server = createStrictServer(deps, { ...serverDefaults, answerStallMsMax });
  const answers: ServerResponse[] = [];
  server.get('/long', (_request, reply) => {
    answers.push(reply.raw);
    return reply.type('application/json').send(JSON.stringify({ text }));
  });
  const Answer = Type.Object({ text: Type.String(), list: Type.Array(Type.Object({ text: Type.String() })) });
  server.get('/by-schema', { schema: { response: { 200: Answer } } }, async (_request, reply) => {
    answers.push(reply.raw);
    return bySchema;
  });
  server.get('/short', (_request, reply) => reply.type('application/json').send('{}'));
  await server.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  const { port } = server.server.address() as AddressInfo;
  return { server, answers, port, url: `http://127.0.0.1:${port}` };
}

test('a long answer is what it was, with its length; so is the answer to HEAD', async (t) => {
  const { url } = await serve(t);
  const answer = await fetch(`${url}/long`);
  const length = Number(answer.headers.get('content-length'));
  assert.equal(length, Buffer.byteLength(JSON.stringify({ text })));
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(((await answer.json()) as typeof bySchema).text, text);
  const head = await fetch(`${url}/long`, { method: 'HEAD' });
  assert.deepEqual([head.status, Number(head.headers.get('content-length')), await head.text()], [200, length, '']);
});

test('an answer by a schema is made while it leaves, and is the same JSON', async (t) => {
  const { url } = await serve(t);
  const answer = await fetch(`${url}/by-schema`);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.ok((await answer.text()) === JSON.stringify(bySchema));
  const head = await fetch(`${url}/by-schema`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
});

for (const path of ['/long', '/by-schema']) {
  test(`whoever reads nothing of a long answer is cut off, has little kept for it, and others are served meanwhile: ${path}`, async (t) => {
    const { server, answers, port, url } = await serve(t, 200);
    let isOpen = true;
    const closed = once(server.server, 'connection').then(async ([socket]) => {
      await once(socket, 'close');
      isOpen = false;
    });
    const reader = connect(port, '127.0.0.1').pause();
    reader.on('error', () => undefined);
    t.after(() => reader.destroy());
    // Far more than the kernel keeps between the two.
    reader.write(Array.from({ length: 20 }, () => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`).join(''));
    assert.equal(await (await fetch(`${url}/short`)).text(), '{}');
    let most = 0;
    while (isOpen) {
      most = Math.max(most, ...answers.map(({ writableLength }) => writableLength));
      await turn();
    }
    await closed;
    assert.ok(most < 1024 * 1024, `${most} bytes were kept`);
  });
}

test('an answer that its reader breaks off harms nobody', async (t) => {
  const { port, url } = await serve(t);
  for (let times = 0; times < 5; times += 1) {
    const reader = connect(port, '127.0.0.1');
    reader.write('GET /long HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(reader, 'data');
    reader.resetAndDestroy();
  }
  assert.equal(((await (await fetch(`${url}/long`)).json()) as typeof bySchema).text, text);
});
