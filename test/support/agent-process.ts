/**
 * Starts agent/main.ts as a process of its own, as an operator would, and looks at it from outside.
 * Never reaches into it: log lines, /proc and signals.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LoggedProcess, type LogLine } from './logged-process.ts';

const program = new URL('../../agent/main.ts', import.meta.url).pathname;

/** A line of an agent that can be given work. */
export const isReady = ({ msg, to }: LogLine): boolean => msg === 'connection moved' && to === 'ready';

export class AgentProcess extends LoggedProcess {
  /** Variables without their prefix, such as STATE_DIRECTORY; `prefix`: what it is started by. */
  constructor(variables: Readonly<Record<string, string>>, prefix: readonly string[] = []) {
    const names = Object.entries(variables).map(([name, value]) => [`ENVICUTOR_AGENT_${name}`, value]);
    const cache = { NODE_COMPILE_CACHE: join(variables['STATE_DIRECTORY'] ?? '', 'compiled') };
    // Dies with its test, however that ends.
    const command = ['setpriv', '--pdeathsig', 'KILL', ...prefix, process.execPath, program];
    super('agent', command, { ...Object.fromEntries(names), ...cache });
  }

  get residentBytes(): number {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))?.[1];
    return Number(kib) * 1024;
  }

  async exited(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, 'close');
    return this.child.exitCode;
  }
}
