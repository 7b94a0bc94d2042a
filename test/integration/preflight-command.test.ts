/**
 * Owns the proof that `agent/main.ts preflight` works on the machine where the tests run: its form and its exit code, whatever it finds.
 * Never changes the machine: --fix is not given, and the agent that would change it may not. Invariant: values are this machine's and not looked at.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { createAgent } from '../../agent/embedded-agent.ts';
import { contestRequirements } from '../../agent/preflight/contest-requirements.ts';
import { RequirementRow } from '../../agent/preflight/report.ts';
import { RealLauncher } from '../support/real-launcher.ts';

const program = new URL('../../agent/main.ts', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'envicutor-preflight-command-'));
after(() => rmSync(folder, { recursive: true }));
const launcher = await RealLauncher.start('envicutor-preflight-command');
after(() => launcher.stop());

async function run(args: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  const environment = {
    ...{ ENVICUTOR_AGENT_STATE_DIRECTORY: folder, ENVICUTOR_AGENT_CONTEST_DIRECTORY: join(folder, 'contest') },
    ...{ ENVICUTOR_AGENT_LAUNCHER_SOCKET_PATH: launcher.socketPath, ...variables },
  };
  const child = spawn(process.execPath, [program, ...args], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const [said, complained, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code, said, complained };
}

test('it tells as JSON what is here, the launcher and the coordinator among it, and ends as its rows say', async (context) => {
  const coordinator = createServer((_, answer) => answer.writeHead(404).end()).listen(0, '127.0.0.1');
  context.after(() => coordinator.close());
  await once(coordinator, 'listening');
  const address = coordinator.address();
  assert.ok(typeof address === 'object' && address !== null);
  const url = `ws://127.0.0.1:${address.port}/agents`;
  const { code, said, complained } = await run(['preflight', '--contest', '--json'], {
    ENVICUTOR_AGENT_COORDINATOR_URL: url,
  });
  assert.equal(complained, '');
  const rows: unknown = JSON.parse(said);
  assert.ok(Value.Check(Type.Array(RequirementRow), rows), said);
  const stateOf = (id: string) => rows.find((row) => row.id === id)?.state;
  assert.deepEqual(
    ['configuration', 'launcher', 'kernel', 'cgroups', 'coordinator', 'clock'].map(stateOf),
    new Array(6).fill('ok'),
  );
  assert.ok(contestRequirements.every(({ id }) => stateOf(id) !== undefined));
  const isAmiss = rows.some(({ state, severity }) => state === 'wrong' && severity !== 'information');
  assert.equal(code, isAmiss ? 1 : 0);
  assert.deepEqual(readdirSync(folder), [], 'it made nothing');
});

test('settings that can not be are a row and 1; arguments that can not be are 64, and so is a command that there is not', async () => {
  const wrong = await run(['preflight'], { ENVICUTOR_AGENT_SLOTS: 'many' });
  assert.match(wrong.said, /^wrong +configuration +ENVICUTOR_AGENT_SLOTS="many"/);
  assert.equal(wrong.code, 1);
  const without = await run(['preflight'], { ENVICUTOR_AGENT_COORDINATOR_CA_FILE: join(folder, 'none.pem') });
  assert.match(without.said, /^wrong +configuration +the authority .*none\.pem can't be used/);
  for (const [args, sentence] of [
    [['preflight', '--fix'], /give --contest --fix/],
    [['preflihgt'], /no command 'preflihgt'/],
  ] as const) {
    const { code, said, complained } = await run(args);
    assert.deepEqual([code, said], [64, '']);
    assert.match(complained, sentence);
  }
});

test('without anything recorded there is nothing to put back', async () => {
  assert.deepEqual(await run(['preflight', '--undo']), { code: 0, said: 'nothing was recorded\n', complained: '' });
});

test('an agent in contest mode starts where it may not change anything, says so, and says so again when it is to put back', async () => {
  const contestDirectory = join(folder, 'of-everybody');
  mkdirSync(contestDirectory);
  chmodSync(contestDirectory, 0o777);
  const warned: string[] = [];
  const logger = {
    ...{ debug() {}, info() {}, error() {} },
    warn: (_: object, said: string) => void warned.push(said),
  };
  const settings = { stateDirectory: join(folder, 'state'), launcherSocketPath: launcher.socketPath, logger };
  const count = () => warned.filter((said) => said === 'contest settings not touched').length;
  const agent = await createAgent({ ...settings, contest: 'fix', contestDirectory });
  assert.equal(count(), 1);
  await agent.stop();
  assert.equal(count(), 2);
  warned.length = 0;
  await (await createAgent(settings)).stop();
  assert.equal(count(), 0, 'by default there is no contest mode');
});
