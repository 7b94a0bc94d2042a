/**
 * Owns what a coordinator hears from whoever opens a link to it: nothing of strangers but a short greeting, nothing over a link that has a successor.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { PEERS_PATH, PeerGateway } from '../../coordinator/cluster/peer-gateway.ts';
import { PeerLink } from '../../coordinator/cluster/peer-link.ts';
import { proveLink } from '../../coordinator/cluster/peer-proof.ts';
import { PeerSession, type PeerSessionDeps } from '../../coordinator/cluster/peer-session.ts';
import { attachUpgrades } from '../../coordinator/http/upgrades.ts';
import { systemClock, systemRandom } from '../../shared/clock.ts';
import { type Logger, silentLogger } from '../../shared/logger.ts';
import { ClusterStage } from '../support/cluster-stage.ts';
import { makeResult } from '../support/lease-results.ts';
import { makeCertificate } from '../support/timing-facts.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const key = Buffer.alloc(32, 'k');

/** A link that a test opens by itself; `said` is what comes back. */
function open(session: PeerSession) {
  const said: { type: string; nonce?: string }[] = [];
  const closed: string[] = [];
  session.opened({ send: (text) => void said.push(JSON.parse(text)), close: (reason) => void closed.push(reason) });
  const say = (message: object) => session.message(JSON.stringify(message));
  return { said, closed, say };
}

test('a stranger is refused at its first word too many, once, however much it goes on to say', () => {
  const logged: object[] = [];
  const log = { warn: (fields: object) => void logged.push(fields) } as unknown as Logger;
  const deps = { clock: new VirtualClock(), random: systemRandom, log, key, memberId: 'here' };
  const { said, closed, say } = open(new PeerSession(deps as unknown as PeerSessionDeps));
  for (let times = 0; times < 100; times += 1)
    say({ type: 'peer.hello', member: 'x'.repeat(1e6), nonce: '', understands: [] });
  assert.deepEqual([said.length, closed.length, logged.length], [0, 1, 1]);
  assert.ok(JSON.stringify(logged).length < 1000);
});

test('what comes over a link after the same coordinator has made another is not listened to', () => {
  const stage = new ClusterStage(1);
  const [site] = stage.sites;
  assert.ok(site);
  const link = () => {
    const opened = open(site.peers.welcome());
    opened.say({ type: 'peer.hello', member: 'other', nonce: 'n', understands: [] });
    const nonce = opened.said[0]?.nonce ?? '';
    opened.say({ type: 'peer.proof', proof: proveLink(key, 'dialler', { dialler: 'other', dialled: site.id, nonce }) });
    assert.equal(opened.said[1]?.type, 'peer.welcome');
    return opened;
  };
  const before = link();
  const after = link();
  assert.equal(before.closed.length, 1);
  before.say({ type: 'fleet.ask', question: '1' });
  after.say({ type: 'fleet.ask', question: '2' });
  const told = ({ said }: typeof before) => said.filter(({ type }) => type === 'fleet.told').length;
  assert.deepEqual([told(before), told(after)], [0, 1]);
});

test('a certificate and what was run again are told only to a coordinator that understands them', () => {
  const stage = new ClusterStage(1);
  const [site] = stage.sites;
  assert.ok(site);
  for (const understands of [[], ['result.certificate']]) {
    const session = site.peers.welcome();
    const opened = open(session);
    opened.say({ type: 'peer.hello', member: 'other', nonce: 'n', understands });
    const nonce = opened.said[0]?.nonce ?? '';
    opened.say({ type: 'peer.proof', proof: proveLink(key, 'dialler', { dialler: 'other', dialled: site.id, nonce }) });
    const first = {
      agent: 'a',
      verdict: 'ok' as const,
      limit: 'cpuTimeMs' as const,
      allowed: 1,
      observed: 1,
      reasons: [],
    };
    const rerun = { reason: 'dirty-near-limit' as const, outcome: 'repeated' as const, first };
    const result = { ...makeResult(), certificate: makeCertificate(false), rerun };
    session.send({ type: 'demand.completed', demand: '1', result });
    const told = opened.said.at(-1) as unknown as { readonly result: object };
    assert.deepEqual(told.result, understands.length === 0 ? makeResult() : result);
  }
});

test('of a frame that a stranger sends little is kept, of one by a coordinator all', async (t) => {
  const heard: number[] = [];
  const user = { member: '', opened: () => undefined, closed: () => undefined };
  const gateway = new PeerGateway(systemClock, () => ({ ...user, message: ({ length }) => void heard.push(length) }));
  const known = new PeerGateway(systemClock, () => ({
    ...{ ...user, member: 'other' },
    message: ({ length }) => void heard.push(length),
  }));
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  attachUpgrades(server, () => null, { [PEERS_PATH]: gateway, '/known': known });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const text = 'x'.repeat(2 ** 20);
  const ended: Promise<unknown>[] = [];
  for (const path of [PEERS_PATH, '/known']) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false });
    socket.on('error', () => undefined);
    ended.push(once(socket, 'close'));
    socket.on('open', () => socket.send(text, () => socket.close()));
  }
  await Promise.all(ended);
  assert.deepEqual(heard, [text.length]);
  gateway.stop();
  known.stop();
});

test('whoever answers at the address of a coordinator and has not proved to be it is told nothing', () => {
  const deps = { clock: new VirtualClock(), random: systemRandom, log: silentLogger, key, memberId: 'here' };
  let ups = 0;
  const user = {
    up: () => {
      ups += 1;
    },
    down: () => undefined,
    message: () => undefined,
  };
  const link = new PeerLink({ id: 'there', url: 'http://there' }, { ...deps, dial: () => undefined }, user);
  const answer = (...messages: object[]) => {
    const said: { type: string; nonce?: string }[] = [];
    let closed = 0;
    link.opened({
      send: (text) => void said.push(JSON.parse(text)),
      close: () => {
        closed += 1;
      },
    });
    for (const message of messages) link.message(JSON.stringify(message));
    const isUp = link.send({ type: 'demand.withdraw', demand: '1' });
    return { isUp, closed, nonce: said[0]?.nonce ?? '' };
  };
  const bare = answer({ type: 'peer.welcome' });
  assert.deepEqual([bare.isUp, bare.closed, ups], [false, 1, 0]);
  const proof = proveLink(key, 'dialled', { dialler: 'here', dialled: 'there', nonce: bare.nonce });
  const replayed = answer({ type: 'peer.challenge', member: 'there', nonce: 'n', proof }, { type: 'peer.welcome' });
  assert.deepEqual([replayed.isUp, ups], [false, 0]);
});
