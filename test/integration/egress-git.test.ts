/**
 * Owns the proof that git works through the build network as far as it should: clones yes, with their commits recorded; pushes no.
 */
import { strict as assert } from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startBuildNetwork } from '../support/build-network.ts';
import { startOrigin } from '../support/local-origin.ts';

const ADDRESS = '127.86.1.2';
const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), 'egress-git-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const git = (...argv: string[]): string =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t.example', '-C', join(folder, 'x.git'), ...argv], {
    encoding: 'utf8',
  }).trim();

/** git's own smart HTTP server, as a CGI program. */
async function serveGit(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'https://x');
  const backend = spawn('git', ['http-backend'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
  });
  request.pipe(backend.stdin);
  const chunks: Buffer[] = [];
  for await (const chunk of backend.stdout) chunks.push(chunk as Buffer);
  const all = Buffer.concat(chunks);
  const end = all.indexOf('\r\n\r\n');
  for (const line of all.toString('latin1', 0, end).split('\r\n')) {
    const [name = '', value = ''] = line.split(/: (.*)/s, 2);
    if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.end(all.subarray(end + 4));
}

test('clones work in protocol versions 0 and 2 and record their commit; a push is refused with a sentence', {
  skip: isRoot ? false : 'needs root',
  timeout: 60_000,
}, async (t) => {
  execFileSync('git', ['init', '-q', '--bare', join(folder, 'x.git')]);
  const tree = git('hash-object', '-t', 'tree', '-w', '/dev/null');
  const commit = git('commit-tree', '-m', 'first', tree);
  git('update-ref', 'refs/heads/main', commit);
  git('symbolic-ref', 'HEAD', 'refs/heads/main');
  const origin = await startOrigin((request, response) => void serveGit(request, response), {
    host: ADDRESS,
    port: 443,
  });
  t.after(() => origin.stop());
  const network = await startBuildNetwork({
    hosts: `${ADDRESS} git.example`,
    caBundlePath: origin.caBundlePath,
    policy: { allowedPrivateRanges: [ADDRESS] },
  });
  t.after(() => network.stop());

  const clone = (version: string, target: string) =>
    network.run(
      `git -c protocol.version=${version} clone -q --depth 1 https://git.example/x.git ${folder}/${target} && git -C ${folder}/${target} rev-parse HEAD`,
    );
  assert.equal((await clone('2', 'two')).stdout.trim(), commit);
  assert.equal((await clone('0', 'zero')).stdout.trim(), commit);
  const push = await network.run(`git -C ${folder}/two push https://git.example/x.git HEAD:other`);
  assert.notEqual(push.exitCode, 0);
  assert.match(push.stderr, /a build may fetch by git, not push/);

  const { records } = await network.stop();
  const fetched = records.flatMap((record) => (record.kind === 'artefact' ? record.commits : []));
  // A shallow fetch asks in several rounds, each naming what it wants.
  assert.ok(fetched.length >= 2);
  assert.deepEqual(new Set(fetched), new Set([commit]));
});
