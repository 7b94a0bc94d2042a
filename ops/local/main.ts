/**
 * Owns the outer half of `make run`: checks the machine, starts the supervisor (inside.ts) in namespaces of its own, and sweeps
 * behind it, however it ended.
 * Never starts a process of the instance itself. It hears Ctrl-C for everybody: the first asks for an orderly stop, the second kills.
 * Invariant: nothing of an instance survives this process, not even its kill -9: the kernel kills the first process of the
 * supervisor's pid namespace with it, and all others with that one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { refuseToStart } from '../../shared/config.ts';
import { holdInstance } from './instance-lock.ts';
import { findObstacle } from './requirements.ts';
import { loadSettings } from './settings.ts';
import { sweep } from './sweep.ts';
import { InstanceUsers } from './users.ts';

const root = join(import.meta.dirname, '../..');
const settings = loadSettings();
if (!(await holdInstance(settings.stateDirectory)))
  refuseToStart(
    `another make run uses ${settings.stateDirectory}: stop it, or set ENVICUTOR_STATE_DIRECTORY and ENVICUTOR_PORT`,
  );
const obstacle = await findObstacle(settings, root);
if (obstacle !== null) refuseToStart(obstacle);
// What a killed predecessor left would stand in the way.
await sweep(settings);

// biome-ignore format: one program per line, each runs the next
const command = [
  'setpriv', '--pdeathsig', 'KILL', '--',
  'unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc', '--',
  'env', `NODE_COMPILE_CACHE=${join(settings.stateDirectory, 'compiled')}`,
  process.execPath, join(import.meta.dirname, 'inside.ts'), ...process.argv.slice(2),
];
const inside = spawn(command[0] ?? '', command.slice(1), {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  // Its own session: the terminal's Ctrl-C comes to this process only, which passes it on once.
  detached: true,
});

let interrupts = 0;
const interrupt = () => {
  interrupts += 1;
  if (interrupts === 1 && inside.connected) inside.send('stop');
  else inside.kill('SIGKILL');
};
process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);
process.on('SIGHUP', interrupt);

// Started in the background by the command line, it ends when nobody has used it for so long.
const users = settings.idleMs === null ? null : await InstanceUsers.listen(settings.port, settings.idleMs, interrupt);
inside.on('message', () => {
  users?.ready();
  if (process.connected) process.send?.('ready');
});

const [code, signal] = await once(inside, 'exit');
const left = await sweep(settings);
if (left.length > 0) process.stderr.write(`could not be removed: ${left.join(', ')}\n`);
process.exit(signal === null ? code : interrupts > 1 ? 130 : 1);
