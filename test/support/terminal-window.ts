/**
 * Owns a terminal for tests: tmux, with a server of its own, in which one command runs; what stands on the screen, and keys.
 * Never sleeps: it looks again when tmux says that something was drawn. Invariant: the server ends with its test.
 */
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** See the head of this file. */
export class TerminalWindow {
  readonly #socket = join(tmpdir(), `envicutor-tmux-${randomUUID().slice(0, 8)}`);

  /** A window of 100 × 30 in a folder; its shell has these variables and nothing else. */
  static async open(
    test: { after(ending: () => unknown): unknown },
    folder: string,
    variables: Readonly<Record<string, string>>,
  ): Promise<TerminalWindow> {
    const window = new TerminalWindow();
    test.after(async () => {
      await window.#tmux('kill-server').catch(() => undefined);
      rmSync(window.#socket, { force: true });
    });
    const words = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const shell = ['env', '-i', 'TERM=xterm-256color', 'LANG=C.UTF-8', 'PS1=$ ', ...words, 'sh'];
    await window.#tmux('-u', 'new-session', '-d', '-x', '100', '-y', '30', '-c', folder, ...shell);
    await window.untilShown(/\$/);
    return window;
  }

  async #tmux(...words: string[]): Promise<string> {
    return (await run('tmux', ['-S', this.#socket, '-f', '/dev/null', ...words])).stdout;
  }

  /** Types this line. */
  async type(line: string): Promise<void> {
    await this.#tmux('send-keys', '-l', line);
    await this.press('Enter');
  }

  /** Presses a key by its name, such as C-c. */
  async press(key: string): Promise<void> {
    await this.#tmux('send-keys', key);
  }

  /** What is on the screen and was above it. */
  async screen(): Promise<string> {
    return await this.#tmux('capture-pane', '-p', '-S', '-');
  }

  /** Resolves with the screen when it fits; its control mode tells of everything that is drawn. */
  async untilShown(pattern: RegExp): Promise<string> {
    const control = spawn('tmux', ['-S', this.#socket, '-C', 'attach', '-f', 'read-only,ignore-size'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    try {
      for await (const line of createInterface({ input: control.stdout })) {
        if (!/^%(output|session-changed|end)/.test(line)) continue;
        const shown = await this.screen();
        if (pattern.test(shown)) return shown;
      }
      throw new Error(`the terminal ended before ${pattern}`);
    } finally {
      control.kill();
    }
  }
}
