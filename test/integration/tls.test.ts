/**
 * Owns the coordinator's own TLS, with real certificates: who speaks it, who does not, certificates that change or make no sense, agents and other
 * coordinators over it, and whose word about addresses is believed.
 */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls, type DetailedPeerCertificate } from 'node:tls';
import { Connector } from '../../agent/connection/connector.ts';
import { type CoordinatorOptions, createCoordinator } from '../../coordinator/embedded-coordinator.ts';
import { systemClock, systemRandom } from '../../shared/clock.ts';
import { digestOf } from '../../shared/digest.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import { silentLogger } from '../../shared/logger.ts';
import { temporaryFolder } from '../support/captured.ts';
import { TestAuthority } from '../support/certificates.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { CoordinatorProcess } from '../support/coordinator-process.ts';
import { Coordinators } from '../support/coordinators.ts';

function prepare(t: TestContext) {
  const folder = temporaryFolder(t);
  const authority = new TestAuthority(folder);
  const ca = readFileSync(authority.caFile, 'utf8');
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  /** Puts another certificate where the coordinator looks for it. */
  const install = (issued: { certFile: string; keyFile: string }) => {
    copyFileSync(issued.keyFile, keyFile);
    copyFileSync(issued.certFile, certFile);
  };
  install(authority.issue('first'));
  return { folder, authority, ca, certFile, keyFile, install };
}

/** Asks over TLS by this authority. */
function ask(url: string, ca: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  request(url, { ca, headers, agent: false }, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (piece) => {
      text += piece;
    });
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
  })
    .on('error', reject)
    .end();
  return promise;
}

/** What a port says to these bytes, until it closes. */
function sayPlainly(port: number, bytes: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let heard = '';
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
  socket.setEncoding('latin1').on('data', (piece) => {
    heard += piece;
  });
  socket.on('error', () => undefined).on('close', () => resolve(heard));
  return promise;
}

/** The certificate that a port shows, or the reason why there is none. */
function shown(port: number, ca: string, options: object = {}): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connectTls({ port, host: '127.0.0.1', ca, ...options }, () => {
    const { subject } = socket.getPeerCertificate() as DetailedPeerCertificate;
    resolve(`${socket.getProtocol()} ${subject.CN}`);
    socket.destroy();
  });
  socket.on('error', ({ message }) => resolve(message));
  return promise;
}

test('the API is served over TLS 1.2 and later, and plain HTTP on that port gets one answer that says so', async (t) => {
  const { certFile, keyFile, ca } = prepare(t);
  const { url } = await startCoordinator(t, { tlsCertFile: certFile, tlsKeyFile: keyFile });
  assert.match(url, /^https:\/\/127\.0\.0\.1:\d+$/);
  const port = Number(new URL(url).port);
  assert.deepEqual(await ask(`${url}/healthz`, ca), { status: 200, text: '{"state":"alive"}' });
  assert.equal(await shown(port, ca), 'TLSv1.3 first');
  assert.equal(await shown(port, ca, { maxVersion: 'TLSv1.2' }), 'TLSv1.2 first');
  const old = await shown(port, ca, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' });
  assert.match(old, /protocol version|EPROTO|alert/i);
  const plain = await sayPlainly(port, `GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`);
  assert.match(
    plain,
    /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*\r\n\r\nthis port speaks TLS: use https:\/\/ or wss:\/\/\n$/,
  );
  assert.match(await sayPlainly(port, '\u0000\u0001\u0002'), /^HTTP\/1\.1 400/);
  assert.doesNotMatch(await sayPlainly(port, '\u0016\u0003\u0001nonsense and no handshake'), /HTTP/);
  assert.equal((await ask(`${url}/healthz`, ca)).status, 200, 'and goes on');
});

test('a certificate that changes is shown to whoever comes next; one that makes no sense changes nothing', async (t) => {
  const { certFile, keyFile, ca, authority, install } = prepare(t);
  const settings = { tlsCertFile: certFile, tlsKeyFile: keyFile, tlsReloadMs: 100 };
  const { url, logged } = await startCoordinator(t, settings);
  const port = Number(new URL(url).port);
  const untilLogged = async (msg: string) => {
    while (!logged.some((line) => line.msg === msg)) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  writeFileSync(certFile, 'no certificate');
  await untilLogged('certificate not used');
  assert.equal(await shown(port, ca), 'TLSv1.3 first');
  install(authority.issue('second'));
  await untilLogged('certificate read again');
  assert.equal(await shown(port, ca), 'TLSv1.3 second');
});

test('an agent and its layers come over TLS by the authority that it is told of, and not without', async (t) => {
  const { certFile, keyFile, ca, folder } = prepare(t);
  const { url } = await startCoordinator(t, { tlsCertFile: certFile, tlsKeyFile: keyFile });
  const urls = [`${url.replace('https', 'wss')}/agents`];
  const dial = async (trusting: object) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const connector = new Connector(
      {
        ...{ urls, redialMinMs: 10, redialMaxMs: 10, heartbeatMs: 5000, clock: systemClock, random: systemRandom },
        ...{ logger: silentLogger, ...trusting },
      },
      {
        ...{ dialling: () => undefined, message: (text: string) => resolve(JSON.parse(text).type) },
        opened: (connection) => connection.send('{"type":"nothing"}', false),
        closed: (_code, reason) => resolve(reason),
      },
    );
    connector.start();
    const heard = await promise;
    await connector.stop(1000, 'done');
    return heard;
  };
  assert.match(await dial({}), /certificate|self.signed|issuer/i);
  assert.doesNotMatch(await dial({ ca }), /certificate|issuer/i);
  const blob = { digest: digestOf('x'), bytes: 1 };
  const fetched = async (trusting: object) => {
    const fetcher = new LayerFetcher({ directory: join(folder, 'incoming'), ...trusting });
    const said = await fetcher.fetch(`${url}/layers/none`, blob as never).catch(({ message }: Error) => message);
    await fetcher.close();
    return String(said);
  };
  assert.match(await fetched({}), /certificate|self.signed|issuer/i);
  assert.match(await fetched({ ca }), /was answered 40[134]/);
});

test('coordinators reach each other over TLS by their authority, and pass requests on', async (t) => {
  const { certFile, keyFile, ca, authority } = prepare(t);
  const tls = { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, CLUSTER_CA_FILE: authority.caFile };
  const coordinators = await Coordinators.prepare(t, { tenants: ['one'], variables: tls });
  const two = [await coordinators.start(), await coordinators.start()];
  await Promise.all(two.map((one) => one.logged(({ msg }) => msg === 'peer reached')));
  const authorization = `Bearer ${coordinators.keyOf('one')}`;
  for (const { url } of two) {
    const { status, text } = await ask(`${url}/v1/executions`, ca, { authorization });
    assert.deepEqual([status, JSON.parse(text).items], [200, []]);
  }
  // A terminal that there is not is not there at either: the one that does not answer for the tenant asks the other.
  for (const { url } of two) {
    const upgrade = { authorization, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
    const { status, text } = await ask(`${url}/v1/executions/exec_00000000/terminal`, ca, {
      ...{ ...upgrade, 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' },
    });
    assert.deepEqual([status, JSON.parse(text).code], [404, 'execution-not-found']);
  }
  for (const one of two) assert.ok(!one.log.some(({ msg }) => /not passed on/.test(msg)));
});

test('what can not be served over TLS is refused at the start with a remedy, and so is a port of others without it', async (t) => {
  const { folder, certFile, keyFile, authority } = prepare(t);
  const other = authority.issue('other');
  const over = authority.issue('over', 0);
  const tenants = join(folder, 'tenants.json');
  writeFileSync(tenants, JSON.stringify({ tenants: [{ id: 'one', keys: [] }] }));
  const whole = { tlsCertFile: certFile, tlsKeyFile: keyFile };
  const cases: [CoordinatorOptions, RegExp][] = [
    [{ tlsCertFile: certFile }, /tlsCertFile and tlsKeyFile are needed together/],
    [{ ...whole, tlsKeyFile: join(folder, 'none') }, /tlsKeyFile \S+none can't be read: ENOENT/],
    [{ ...whole, tlsKeyFile: other.keyFile }, /can't be used together: .*key.*; give a PEM certificate/],
    [{ tlsCertFile: over.certFile, tlsKeyFile: over.keyFile }, /has expired on .*; renew it/],
    [
      { listenHost: '0.0.0.0', tenantsFile: tenants, publicUrl: 'http://x' },
      /set tlsCertFile and tlsKeyFile, or allowPlainHttp/,
    ],
    [{ trustProxy: ['10.0.0.0/8', 'proxy.example'] }, /trustProxy: 'proxy.example' is no IP address/],
    [{ trustProxy: ['10.0.0.0/33'] }, /trustProxy: '10.0.0.0\/33' is no IP address or range/],
    [{ clusterCaFile: keyFile }, /the authority \S+ can't be used/],
  ];
  for (const [index, [settings, message]] of cases.entries()) {
    const stateDirectory = join(folder, `state-${index}`);
    const making = createCoordinator({ listenPort: 0, stateDirectory, ...settings });
    await assert.rejects(making, { code: 'configuration-invalid', message });
  }
  const variables = { STATE_DIRECTORY: join(folder, 'process'), TLS_CERT_FILE: certFile, TLS_KEY_FILE: other.keyFile };
  const program = new CoordinatorProcess({ LISTEN_PORT: '0', ...variables });
  assert.equal(await program.exited(), 78, program.stderr);
  assert.match(program.stderr, /give a PEM certificate, its chain behind it, and its unencrypted PEM key/);
});

test('whoever is no proxy of ours is not believed about addresses', async (t) => {
  const addressOf = async (trustProxy: string[]) => {
    const coordinator = await startCoordinator(t, { trustProxy });
    const headers = { 'x-forwarded-for': '203.0.113.7' };
    await coordinator.ask('POST', '/v1/agents/enrolments', {}, headers);
    const { items } = await (await coordinator.ask('GET', '/v1/audit')).json();
    return items[0].address;
  };
  assert.deepEqual(
    [await addressOf([]), await addressOf(['10.0.0.0/8']), await addressOf(['127.0.0.0/8'])],
    ['127.0.0.1', '127.0.0.1', '203.0.113.7'],
  );
});
