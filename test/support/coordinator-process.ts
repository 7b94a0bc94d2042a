/**
 * Starts coordinator/main.ts as a process of its own, as an operator would, and looks at it from outside.
 * Never reaches into it: log lines, HTTP and signals.
 */
import { join } from 'node:path';
import { LoggedProcess } from './logged-process.ts';

const program = new URL('../../coordinator/main.ts', import.meta.url).pathname;

export class CoordinatorProcess extends LoggedProcess {
  readonly pid: number;
  url = '';

  /** Variables without their prefix, such as STATE_DIRECTORY. */
  constructor(variables: Readonly<Record<string, string>>) {
    const names = Object.entries(variables).map(([name, value]) => [`ENVICUTOR_${name}`, value]);
    const cache = { NODE_COMPILE_CACHE: join(variables['STATE_DIRECTORY'] ?? '', '../compiled') };
    // Dies with its test, however that ends.
    const command = ['setpriv', '--pdeathsig', 'KILL', process.execPath, program];
    super('coordinator', command, { ...Object.fromEntries(names), ...cache });
    this.pid = this.child.pid ?? 0;
  }

  /** Resolves when it serves. */
  async ready(): Promise<void> {
    const { url } = await this.logged(({ msg }) => msg === 'coordinator ready');
    this.url = String(url);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}
