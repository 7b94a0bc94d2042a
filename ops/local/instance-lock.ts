/**
 * Owns the rule that one state directory has one running instance.
 * Never leaves anything behind: the lock is a name in the kernel's table of abstract sockets and dies with this process.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { resolve as toAbsolute } from 'node:path';

/** Takes the directory for the life of this process; false when somebody else has it. */
export function holdInstance(stateDirectory: string): Promise<boolean> {
  const name = createHash('sha256').update(toAbsolute(stateDirectory)).digest('hex').slice(0, 32);
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.unref();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    server.listen(`\0envicutor-state-${name}`, () => resolve(true));
  });
}
