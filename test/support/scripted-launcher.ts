/**
 * A launcher made of a script, on a real Unix socket: it welcomes, keeps what it received and answers as the test says.
 * Never runs anything. It speaks by the same codec as the client; that the codec is right is shown by the real launcher.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONTRACT_VERSION } from '../../shared/sandbox/contract.ts';
import { FrameDecoder } from '../../shared/sandbox/frame-decoder.ts';
import { encodeFrame, type FieldsOf, type Frame, type MessageName } from '../../shared/sandbox/frames.ts';

/** Answers one frame of the client. */
export type Answer = (frame: Frame, launcher: ScriptedLauncher) => void;

/** Sends every number of a report as 0 but for `fields`. */
export function wireReport(fields: Partial<FieldsOf<'REPORT'>>): FieldsOf<'REPORT'> {
  const zero = { get: (target: object, field: string) => Reflect.get(target, field) ?? 0 };
  return new Proxy({ end: 1, endedAtNs: 1e9, ...fields }, zero) as FieldsOf<'REPORT'>;
}

export class ScriptedLauncher {
  readonly received: Frame['name'][] = [];
  version: number = CONTRACT_VERSION;
  socket: Socket | null = null;
  readonly path: string;
  readonly #server: Server;
  readonly #folder: string;

  private constructor(folder: string, answer: Answer) {
    this.#folder = folder;
    this.path = join(folder, 'launcher.sock');
    this.#server = createServer((socket) => {
      this.socket = socket.on('error', () => undefined);
      const decoder = new FrameDecoder((frame) => {
        this.received.push(frame.name);
        const machine = { cgroup: 2, cores: 2, memoryBytes: 1e9, kernel: '6.18.0', release: 'scripted' };
        const kind = { rootless: 0, missing: [] };
        if (frame.name === 'HELLO') this.send('WELCOME', { version: this.version, ...machine, ...kind });
        else answer(frame, this);
      });
      socket.on('data', (chunk) => decoder.push(chunk));
    });
  }

  static async listen(answer: Answer = () => undefined): Promise<ScriptedLauncher> {
    const launcher = new ScriptedLauncher(await mkdtemp(join(tmpdir(), 'envicutor-launcher-')), answer);
    await new Promise<void>((resolve) => launcher.#server.listen(launcher.path, resolve));
    return launcher;
  }

  send<Name extends MessageName>(name: Name, fields: FieldsOf<Name>): void {
    this.socket?.write(encodeFrame(name, fields));
  }

  async close(): Promise<void> {
    this.socket?.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#folder, { recursive: true, force: true });
  }
}
