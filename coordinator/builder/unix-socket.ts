/**
 * Owns listening on a Unix socket: a stale one is replaced, one that answers is not.
 */
import { chmod, rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { SystemError } from '../../shared/errors.ts';

/** Its folder decides who may connect; the socket itself lets its owner and group. */
const SOCKET_MODE = 0o660;

/** Resolves when `server` listens on `path`; SystemError `conflict` when another process does. */
export async function listenOn(server: Server, path: string): Promise<void> {
  if (await answers(path)) throw new SystemError('conflict', `another process listens on ${path}; end it first`);
  await rm(path, { force: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, resolve);
  await promise;
  await chmod(path, SOCKET_MODE);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
