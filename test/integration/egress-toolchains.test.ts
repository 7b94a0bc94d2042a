/**
 * Owns the proof that cargo and Go fetch through the build network with the settings of a build alone, from an origin that speaks their
 * protocols: their toolchains are too large to be installed into a build for a test, so these are the machine's own.
 */
import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { inheritedEnvironment } from '../../shared/config.ts';
import { startBuildNetwork } from '../support/build-network.ts';
import { startOrigin } from '../support/local-origin.ts';

const ADDRESS = '127.86.1.5';
const folder = mkdtempSync(join(tmpdir(), 'egress-toolchains-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Why this can't be run here; false: it can. */
function obstacle(program: string, argument: string): string | false {
  if (process.getuid?.() !== 0) return 'needs root: network namespaces and port 443';
  return spawnSync(program, [argument]).status === 0 ? false : `there is no ${program} on this machine`;
}

/** An origin whose files are these, and a build network that leads to it. */
async function serve(t: TestContext, files: Readonly<Record<string, string | Buffer>>) {
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const body = files[request.url ?? ''];
    if (body === undefined) response.statusCode = 404;
    response.end(body);
  };
  const origin = await startOrigin(listener, { host: ADDRESS, port: 443 });
  t.after(() => origin.stop());
  const network = await startBuildNetwork({
    hosts: `${ADDRESS} registry.example`,
    caBundlePath: origin.caBundlePath,
    policy: { allowedPrivateRanges: [ADDRESS] },
  });
  t.after(() => network.stop());
  return network;
}

type Network = Awaited<ReturnType<typeof serve>>;
const fetchedBy = async (network: Network): Promise<string[]> =>
  (await network.stop()).records.flatMap((record) =>
    record.kind === 'artefact' && record.httpCode === 200 && record.isComplete ? [record.url] : [],
  );

/** The crate as cargo packs it. */
function crate(): Buffer {
  const root = join(folder, 'hello-1.0.0');
  mkdirSync(join(root, 'src'), { recursive: true });
  writeFileSync(join(root, 'Cargo.toml'), '[package]\nname = "hello"\nversion = "1.0.0"\nedition = "2021"\n');
  writeFileSync(join(root, 'src/lib.rs'), '');
  return execFileSync('tar', ['--create', '--gzip', `--directory=${folder}`, 'hello-1.0.0']);
}

test('cargo fetches a crate from a sparse registry', {
  skip: obstacle('cargo', '--version'),
  timeout: 60_000,
}, async (t) => {
  const packed = crate();
  const cksum = createHash('sha256').update(packed).digest('hex');
  const network = await serve(t, {
    '/config.json': '{"dl":"https://registry.example/crates/{crate}/{version}/download"}',
    '/he/ll/hello': JSON.stringify({ name: 'hello', vers: '1.0.0', deps: [], cksum, features: {}, yanked: false }),
    '/crates/hello/1.0.0/download': packed,
  });
  const project = join(folder, 'project');
  mkdirSync(join(project, '.cargo'), { recursive: true });
  cpSync(join(folder, 'hello-1.0.0/src'), join(project, 'src'), { recursive: true });
  writeFileSync(join(project, '.cargo/config.toml'), '[registries.own]\nindex = "sparse+https://registry.example/"\n');
  writeFileSync(
    join(project, 'Cargo.toml'),
    '[package]\nname = "a"\nversion = "1.0.0"\n[dependencies]\nhello = { version = "=1.0.0", registry = "own" }\n',
  );
  const { RUSTUP_HOME = join(homedir(), '.rustup') } = inheritedEnvironment(['RUSTUP_HOME']);
  const variables = { CARGO_HOME: join(folder, 'cargo-home'), RUSTUP_HOME };
  const { exitCode, stderr } = await network.run(`cd '${project}' && cargo fetch`, variables);
  assert.equal(exitCode, 0, stderr);
  assert.ok((await fetchedBy(network)).includes('https://registry.example/crates/hello/1.0.0/download'));
});

/** The module as a Go proxy packs it: every name below module@version. */
function moduleZip(): Buffer {
  const pack = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as archive:
    archive.writestr('module.example/hello@v1.0.0/go.mod', 'module module.example/hello\\n')
    archive.writestr('module.example/hello@v1.0.0/hello.go', 'package hello\\n')`;
  execFileSync('python3', ['-c', pack, join(folder, 'module.zip')]);
  return readFileSync(join(folder, 'module.zip'));
}

test('Go fetches a module from a module proxy', { skip: obstacle('go', 'version'), timeout: 60_000 }, async (t) => {
  const at = '/module.example/hello/@v/';
  const network = await serve(t, {
    [`${at}list`]: 'v1.0.0\n',
    [`${at}v1.0.0.info`]: '{"Version":"v1.0.0","Time":"2020-01-01T00:00:00Z"}',
    [`${at}v1.0.0.mod`]: 'module module.example/hello\n',
    [`${at}v1.0.0.zip`]: moduleZip(),
  });
  const caches = { GOPATH: join(folder, 'go'), GOCACHE: join(folder, 'go-build'), GOFLAGS: '-modcacherw' };
  const variables = {
    GOPROXY: 'https://registry.example',
    GONOSUMDB: 'module.example',
    GOTOOLCHAIN: 'local',
    ...caches,
  };
  const command = `cd '${folder}' && go mod download module.example/hello@v1.0.0`;
  const { exitCode, stderr } = await network.run(command, variables);
  assert.equal(exitCode, 0, stderr);
  assert.ok((await fetchedBy(network)).includes(`https://registry.example${at}v1.0.0.zip`));
});
