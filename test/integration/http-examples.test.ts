/**
 * Owns the truth of the commands that docs/http-api.md shows: each is run by a shell, with curl, as a reader would, and answered as the page says.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { httpExamples } from '../../ops/docs/http-examples.ts';
import { executionExamples } from '../../shared/model/execution-examples.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';

const run = promisify(execFile);

test('every command of the page does what the page says', async (t) => {
  const coordinator = await startCoordinator(t);
  await coordinator.join({
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const env = { PATH: process.env['PATH'] ?? '', URL: coordinator.url };
  for (const { title, command, status } of httpExamples) {
    // The status of what the last curl was answered.
    const told = command.replace(
      /curl (?!.*curl )(?!--silent "\$URL\/v1\/executions\?limit=1)/s,
      "curl --silent --write-out '\\n%{http_code}' ",
    );
    const { stdout } = await run('sh', ['-e', '-c', told], { env, timeout: 30_000 });
    assert.equal(stdout.split('\n').at(-1), String(status), `${title}\n${command}\n${stdout}`);
  }
});

test("every request of the description's examples is taken as it stands", async (t) => {
  const coordinator = await startCoordinator(t);
  for (const example of executionExamples)
    assert.equal((await coordinator.ask('POST', '/v1/executions', example)).status, 202);
});
