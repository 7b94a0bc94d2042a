/**
 * Owns what a program of Node pays without any sandbox: its own child_process.spawn of a program, until its end and that of its output.
 * Never a sandbox: no namespace, no limit, no other user; it is the floor of whoever embeds one in Node.
 */
import { spawn } from 'node:child_process';
import type { Rival } from './peer.ts';

/** Milliseconds for one spawn until its exit; rejects when that is not 0. */
export function runtimeSpawn(program: string, parameters: readonly string[] = []): Promise<number> {
  return new Promise((resolve, reject) => {
    const from = performance.now();
    spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
      .on('error', reject)
      .on('close', (code, signal) => {
        if (code === 0) resolve(performance.now() - from);
        else reject(new Error(`${program} ${code === null ? `was ended by ${signal}` : `exited with ${code}`}`));
      });
  });
}

/** Node's own, as a rival: always here. */
export const runtimeSpawnRival: Rival = {
  name: 'node-spawn',
  find: () => ({
    present: {
      name: 'node-spawn',
      version: process.version,
      settings: ["child_process.spawn(PROGRAM, { stdio: ['ignore', 'pipe', 'pipe'] }), until its close event"],
      source: 'path',
      path: process.execPath,
    },
  }),
  start: async () => ({
    round: ([program = '', ...parameters]) => runtimeSpawn(program, parameters),
    stop: () => Promise.resolve(),
  }),
};
