/**
 * Owns the instance of this machine that a command starts when no coordinator is configured and none answers: `make run`'s supervisor, in the background.
 * It ends by itself when nobody has used it for a while; whoever uses it holds a connection to it (ops/local/users.ts).
 * Never imports what it starts. Invariant: a command that is interrupted ends the instance that it has started itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { ownPort } from './configured-instances.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError, type Surroundings, say, userPlace } from './surroundings.ts';

/** Nobody has used it for so long: then it ends. */
const IDLE_MS = 600_000;
const root = join(import.meta.dirname, '../..');
const isCheckout = import.meta.filename.endsWith('.ts') && existsSync(join(root, 'ops/local/main.ts'));

/** Held while the instance is used. */
export interface InstanceUse {
  /** Lets it go. */
  release(): void;
  /** Lets it go, and ends it if this command has started it. */
  abandon(): Promise<void>;
}

const nobodys: InstanceUse = { release: () => undefined, abandon: async () => undefined };

/** Resolves when the instance of this machine answers; starts it if nobody has. */
export async function useOwnInstance(surroundings: Surroundings): Promise<InstanceUse> {
  const port = ownPort(surroundings);
  const held = await hold(port, surroundings.signal);
  if (held !== null) return held;
  if (await listens(port)) return nobodys;
  return await start(surroundings, port);
}

function openSocket(target: { path: string } | { port: number; host: string }): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(target, () => resolve(socket));
    socket.on('error', () => resolve(null));
  });
}

const openUse = (port: number) => openSocket({ path: `\0envicutor-users-${port}` });

/** The use of one that is in the background, when it is ready; null: there is none, or it has ended. */
async function hold(port: number, signal: AbortSignal): Promise<InstanceUse | null> {
  const socket = await openUse(port);
  if (socket === null) return null;
  const leave = () => void socket.destroy();
  signal.addEventListener('abort', leave);
  for await (const line of createInterface({ input: socket })) {
    if (line !== 'ready') continue;
    socket.resume();
    socket.unref();
    return { release: leave, abandon: async () => leave() };
  }
  signal.throwIfAborted();
  return null;
}

async function listens(port: number): Promise<boolean> {
  const socket = await openSocket({ port, host: '127.0.0.1' });
  socket?.destroy();
  return socket !== null;
}

async function start(surroundings: Surroundings, port: number): Promise<InstanceUse> {
  const nobody = `no coordinator is configured and none answers on http://127.0.0.1:${port}`;
  const remedy = 'name one with --url, ENVICUTOR_URL or envicutor login';
  if (!isCheckout)
    throw new CommandError(
      exitCodes.unreachable,
      `${nobody}; this installation has no supervisor that could start one (a checkout has): ${remedy}`,
    );
  if (!surroundings.isRoot)
    throw new CommandError(
      exitCodes.unreachable,
      `${nobody}; starting one makes sandboxes and needs root: run \`sudo make run\` in ${root}, or ${remedy}`,
    );
  say(
    surroundings,
    'starting an instance on this machine, which ends by itself when it is not used (envicutor stop ends it now)',
  );
  await prepare(surroundings);
  const path = userPlace(surroundings, 'STATE', 'instance.log');
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const log = openSync(path, 'w', 0o600);
  // A key is for whom it was given to; the instance needs none.
  const { ENVICUTOR_KEY: _, ...env } = surroundings.variables;
  const child = spawn(process.execPath, ['ops/local/main.ts', '--no-demo', `--while-used=${IDLE_MS}`], {
    ...{ cwd: root, env, detached: true, stdio: ['ignore', log, log, 'ipc'] },
  });
  return await whenReady(surroundings, port, child, path);
}

/** Installs what is missing, as make run does. */
async function prepare({ signal }: Surroundings): Promise<void> {
  const child = spawn(join(root, 'ops/local/prepare'), ['all'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  const [code] = await once(child, 'exit');
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (code !== 0) throw new CommandError(exitCodes.unreachable, 'this machine could not be prepared (see above)');
}

async function whenReady(
  surroundings: Surroundings,
  port: number,
  child: ChildProcess,
  log: string,
): Promise<InstanceUse> {
  const { signal } = surroundings;
  const exited = once(child, 'exit');
  const end = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  const { promise: interrupted, resolve } = Promise.withResolvers<'interrupted'>();
  const interrupt = () => resolve('interrupted');
  signal.addEventListener('abort', interrupt);
  const first = await Promise.race([
    once(child, 'message').then(() => 'ready' as const),
    exited.then(() => 'ended' as const),
    interrupted,
  ]);
  signal.removeEventListener('abort', interrupt);
  if (first === 'interrupted' || signal.aborted) {
    await end();
    signal.throwIfAborted();
  }
  // Two commands at once start one each; only one of them gets the state directory.
  const use = await hold(port, signal);
  if (use === null) {
    const said = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
    throw new CommandError(exitCodes.unreachable, `the instance could not be started; the end of ${log}:\n${said}`);
  }
  if (child.connected) child.disconnect();
  child.unref();
  return { release: () => use.release(), abandon: first === 'ready' ? end : () => use.abandon() };
}

/** Ends the one in the background; false: there is none. */
export async function stopOwnInstance(surroundings: Surroundings): Promise<boolean> {
  const socket = await openUse(ownPort(surroundings));
  if (socket === null) return false;
  const closed = once(socket, 'close');
  for await (const line of createInterface({ input: socket })) {
    const pid = Number(/^pid (\d+)$/.exec(line)?.[1]);
    if (!Number.isSafeInteger(pid) || pid <= 1) continue;
    try {
      process.kill(pid, 'SIGTERM');
    } catch (cause) {
      socket.destroy();
      throw new CommandError(
        exitCodes.refused,
        `the instance is another user's (${(cause as NodeJS.ErrnoException).code}): run sudo envicutor stop`,
        cause,
      );
    }
    break;
  }
  socket.resume();
  await closed;
  return true;
}
