/**
 * Owns the proof that the ground that chaos tests stand on is what it says: a cut cable is silent, what was under way goes on when it is mended, and
 * neither a network nor a disk outlives a test that is killed. Needs root.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { CuttableNetwork } from '../support/cuttable-network.ts';

const support = (name: string) => new URL(`../support/${name}.ts`, import.meta.url).href;
/** Sends a byte now and then; ends when it is told of anything. */
const sender = `const socket = require('node:net').connect(+process.argv[2], process.argv[1]);
socket.on('error', () => process.exit(1)); socket.on('close', () => process.exit(1)); setInterval(() => socket.write('.'), 20)`;

test('what is sent over a cut cable arrives nowhere, neither end is told, and it arrives when the cable is mended', async (context) => {
  const network = await CuttableNetwork.open();
  context.after(() => network.close());
  const [machine, other] = [await network.attach(), await network.attach()];
  const server = createServer().listen(0, network.address);
  context.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const start = async ({ prefix }: typeof machine) => {
    const [command = '', ...rest] = [...prefix, process.execPath, '-e', sender, network.address, String(port)];
    const child = spawn(command, rest, { stdio: 'inherit' });
    const [socket] = (await once(server, 'connection')) as [Socket];
    context.after(() => {
      child.kill('SIGKILL');
      socket.destroy();
    });
    let bytes = 0;
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    await once(socket, 'data');
    return { child, socket, bytes: () => bytes };
  };
  const [near, far] = [await start(machine), await start(other)];
  await machine.cut();
  // What was on its way has come.
  await once(far.socket, 'data');
  const [before, farBefore] = [near.bytes(), far.bytes()];
  await wait(1000);
  assert.equal(near.bytes(), before);
  assert.ok(far.bytes() > farBefore, "the other's cable is whole");
  assert.deepEqual([near.socket.readyState, near.child.exitCode], ['open', null]);
  await machine.mend();
  await once(near.socket, 'data');
});

test('neither a network nor a disk outlives a test that is killed', async () => {
  const program = `const [{ CuttableNetwork }, { SmallDisk }] = await Promise.all(process.argv.slice(1).map((url) => import(url)));
    const network = await CuttableNetwork.open();
    const machine = await network.attach();
    const disk = await SmallDisk.mount(16 << 20);
    disk.fill();
    console.log(JSON.stringify({ address: network.address, folder: disk.folder }));`;
  const urls = ['cuttable-network', 'small-disk'].map(support);
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, ...urls], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  const { address, folder } = JSON.parse(line);
  const isThere = () =>
    spawnSync('ip', ['-oneline', 'address'], { encoding: 'utf8' }).stdout.includes(`${address}/`) ||
    readFileSync('/proc/mounts', 'utf8').includes(folder) ||
    existsSync(folder);
  assert.ok(isThere());
  child.kill('SIGKILL');
  while (isThere()) await wait(10);
});
