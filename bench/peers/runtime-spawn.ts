/**
 * Owns what a program of Node pays without any sandbox: its own child_process.spawn of a program, until its end and that of its output.
 */
import { spawn } from 'node:child_process';

/** Milliseconds for one spawn until its exit. */
export function runtimeSpawn(program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const from = performance.now();
    spawn(program, [], { stdio: ['ignore', 'pipe', 'pipe'] })
      .on('error', reject)
      .on('close', () => resolve(performance.now() - from));
  });
}
