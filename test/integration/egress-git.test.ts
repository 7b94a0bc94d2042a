/**
 * Owns the proof that git works through the build network as far as it should: clones yes, with their commits recorded; pushes no.
 */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startBuildNetwork } from '../support/build-network.ts';
import { makeRepository, serveGit } from '../support/git-origin.ts';
import { startOrigin } from '../support/local-origin.ts';

const ADDRESS = '127.86.1.2';
const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), 'egress-git-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('clones work in protocol versions 0 and 2 and record their commit; a push is refused with a sentence', {
  skip: isRoot ? false : 'needs root',
  timeout: 60_000,
}, async (t) => {
  const commit = makeRepository(folder);
  const origin = await startOrigin((request, response) => void serveGit(folder, request, response), {
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
