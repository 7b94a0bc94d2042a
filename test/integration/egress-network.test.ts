/**
 * Owns the proof that the build network works as a whole: the real proxy process on sockets of a real network namespace, real clients
 * inside it with a build's files and variables. Root is needed; no registry is.
 */
import { strict as assert } from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Value } from '@sinclair/typebox/value';
import { EgressRecord } from '../../shared/model/egress.ts';
import { type BuildNetworkOptions, startBuildNetwork } from '../support/build-network.ts';
import { temporaryFolder } from '../support/captured.ts';
import { startOrigin } from '../support/local-origin.ts';

const ADDRESS = '127.86.1.1';
const INSIDE = '127.86.1.2';
const hosts = `${ADDRESS} registry.example files.example\n${INSIDE} inside.example`;
const isRoot = process.getuid?.() === 0;
const options = { skip: isRoot ? false : 'needs root: network namespaces and ports 80 and 443', timeout: 60_000 };

const origin = isRoot
  ? await startOrigin(
      (request, response) => {
        if (request.url === '/moved') response.writeHead(302, { location: 'https://files.example/there' });
        if (request.url?.startsWith('/to/') === true)
          response.writeHead(302, { location: decodeURIComponent(request.url.slice(4)) });
        response.end(`${request.method} ${request.headers.host}${request.url}\n`);
      },
      { host: ADDRESS, port: 443 },
    )
  : null;
const plainOrigin = createServer((_request, response) => response.end('plain\n'));
if (isRoot) {
  plainOrigin.listen(80, ADDRESS);
  await once(plainOrigin, 'listening');
}
after(() => {
  origin?.stop();
  plainOrigin.close();
  plainOrigin.closeAllConnections();
});

async function start(t: TestContext, changed: BuildNetworkOptions = {}) {
  const network = await startBuildNetwork({
    hosts,
    caBundlePath: origin?.caBundlePath ?? '',
    policy: { allowedPrivateRanges: [`${ADDRESS}/32`] },
    ...changed,
  });
  t.after(() => network.stop());
  return network;
}

test(
  'curl, Python and Node reach a registry with nothing but certificate settings, and every body is recorded',
  options,
  async (t) => {
    const network = await start(t);
    const curl = await network.run(['curl', '-sS', 'https://registry.example/curl', 'http://registry.example/plain']);
    assert.deepEqual(curl, { exitCode: 0, stdout: 'GET registry.example/curl\nplain\n', stderr: '' });
    const python = "import urllib.request as r; print(r.urlopen('https://registry.example/python').read().decode())";
    assert.match((await network.run(['python3', '-c', python])).stdout, /GET registry.example\/python/);
    const node = "fetch('https://registry.example/moved').then(async (answer) => console.log(await answer.text()))";
    assert.match((await network.run([process.execPath, '-e', node])).stdout, /GET files.example\/there/);

    const { exitCode, records } = await network.stop();
    assert.equal(exitCode, 0);
    assert.ok(records.every((record) => Value.Check(EgressRecord, record)));
    assert.deepEqual(
      records.map((record) =>
        record.kind === 'artefact' ? `${record.httpCode} ${record.url} ${record.bytes}` : record.kind,
      ),
      [
        'note',
        '200 https://registry.example/curl 26',
        '200 http://registry.example/plain 6',
        '200 https://registry.example/python 28',
        '302 https://registry.example/moved 27',
        '200 https://files.example/there 24',
        'summary',
      ],
    );
  },
);

test('nothing else is there: no route, no other port, no name service but the stub', options, async (t) => {
  const network = await start(t);
  const { stdout } =
    await network.run(`ip -4 route show table main; ip -6 route show default; getent ahostsv4 anything.at.all | head -n 1
    for url in https://${ADDRESS}/ https://registry.example:8443/ http://203.0.113.1/; do curl -s -m 5 "$url"; echo "$url $?"; done`);
  assert.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().replace(/\s+/g, ' ')),
    [
      '198.18.0.1 STREAM anything.at.all',
      `https://${ADDRESS}/ 7`,
      'https://registry.example:8443/ 7',
      'http://203.0.113.1/ 7',
    ],
  );
});

test('a name at a private address is refused inside TLS with a sentence that the client shows', options, async (t) => {
  const network = await start(t, { policy: {} });
  const { stdout } = await network.run(['curl', '-s', 'https://registry.example/']);
  assert.match(stdout, /registry\.example is at 127\.86\.1\.1, which a build may not reach: loopback/);
  const { records } = await network.stop();
  assert.deepEqual(
    records.map((record) => (record.kind === 'refusal' ? record.code : record.kind)),
    ['note', 'address-denied', 'summary'],
  );
});

test('a redirect leads to nothing that the build may not ask for itself', options, async (t) => {
  const network = await start(t);
  const places = [
    ['https://inside.example/', /inside\.example is at 127\.86\.1\.2, which a build may not reach: loopback/],
    ['http://inside.example/', /inside\.example is at 127\.86\.1\.2, which a build may not reach: loopback/],
    ['http://169.254.169.254/latest/meta-data', /^curl: \(7\)/],
    [`https://${INSIDE}/`, /^curl: \(7\)/],
    ['https://registry.example:22/', /^curl: \(7\)/],
    ['file:///etc/passwd', /^curl: \(1\)/],
    ['gopher://inside.example/', /^curl: \(1\)/],
  ] as const;
  for (const [place, told] of places) {
    const url = `https://registry.example/to/${encodeURIComponent(place)}`;
    const { stdout, stderr } = await network.run(['curl', '-sSL', '-m', '20', url]);
    assert.match(stdout + stderr, told, place);
  }
  const { records } = await network.stop();
  const refused = records.flatMap((record) => (record.kind === 'refusal' ? [record.code] : []));
  assert.deepEqual(refused, ['address-denied', 'address-denied']);
});

test('git shows why it may not fetch', options, async (t) => {
  const network = await start(t, { policy: { allowHosts: ['registry.example'] } });
  const { stderr } = await network.run(['git', 'ls-remote', 'https://elsewhere.example/x.git']);
  assert.match(stderr, /elsewhere\.example is not among the hosts that the operator's policy allows/);
});

test('when the proxy is gone, nothing gets out', options, async (t) => {
  const network = await start(t);
  const folder = temporaryFolder(t);
  // One client from before to after, so that the network lives on without its proxy; the address is given, since the stub is gone too.
  const client =
    network.run(`fetch() { curl -s -o /dev/null -m 9 --resolve registry.example:443:198.18.0.1 "$@"; echo $?; }
    fetch https://registry.example/; mkfifo ${folder}/on; echo > ${folder}/asked; read -r word < ${folder}/on
    fetch https://registry.example/; fetch http://198.18.0.1/; fetch http://${ADDRESS}/; fetch http://203.0.113.1/`);
  while (!existsSync(join(folder, 'asked'))) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal((await network.stop()).exitCode, 0);
  await writeFile(join(folder, 'on'), 'on\n');
  assert.equal((await client).stdout.trim().replaceAll('\n', ' '), '0 7 7 7 7');
});

test('a configuration that is not valid ends the proxy with 78 and names the place', { timeout: 30_000 }, async () => {
  const main = fileURLToPath(new URL('../../coordinator/egress/main.ts', import.meta.url));
  const proxy = spawn(process.execPath, [main], { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  proxy.stderr.on('data', (chunk) => {
    said += String(chunk);
  });
  proxy.stdin.end('{"buildId":"x"}');
  const [exitCode] = await once(proxy, 'close');
  assert.equal(exitCode, 78);
  assert.match(said, /not valid at \//);
});

test('openssl trusts a leaf of the running proxy under strict rules', options, async (t) => {
  assert.match(execFileSync('openssl', ['version'], { encoding: 'utf8' }), /OpenSSL/);
  const network = await start(t);
  const { stdout } = await network.run(
    'openssl s_client -connect registry.example:443 -servername registry.example -x509_strict -verify_hostname registry.example -verify_return_error -CAfile "$SSL_CERT_FILE" -alpn h2,http/1.1 </dev/null 2>/dev/null',
  );
  assert.match(stdout, /Verify return code: 0 \(ok\)/);
  assert.match(stdout, /ALPN protocol: http\/1\.1/);
});

test('a proxy that is ended the moment it says that it serves still writes its summary', options, async () => {
  for (let round = 0; round < 3; round++) {
    const network = await startBuildNetwork({ hosts });
    while (network.records.length === 0) await setImmediate();
    const { exitCode, records } = await network.stop();
    assert.deepEqual([exitCode, records.at(-1)?.kind], [0, 'summary']);
  }
});
