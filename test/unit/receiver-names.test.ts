/**
 * Owns the proof that receivers' names are resolved by name servers, all addresses of them, and that a server which says nothing is not waited for long.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { createDnsResolve } from '../../coordinator/deliveries/resolver.ts';
import { answerQuery } from '../../coordinator/egress/names.ts';

/** A name server on loopback; null: it says nothing. */
async function serve(t: TestContext, address: string | null): Promise<string> {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.on('message', (query, peer) => {
    const answer = address === null ? null : answerQuery(query, address);
    if (answer !== null) socket.send(answer, peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `127.0.0.1:${socket.address().port}`;
}

test('a name has the addresses that its servers tell, private ones as well: whoever dials judges them', async (t) => {
  const resolve = createDnsResolve([await serve(t, '10.1.2.3')]);
  assert.deepEqual(await resolve('judge.example'), [{ address: '10.1.2.3', family: 4 }]);
});

test('a server that says nothing is given up within seconds', async (t) => {
  const resolve = createDnsResolve([await serve(t, null)]);
  const from = performance.now();
  await assert.rejects(resolve('judge.example'), ({ code }: { code?: string }) => /^E[A-Z]+$/.test(code ?? ''));
  assert.ok(performance.now() - from < 15_000);
});
