/**
 * Owns one run of a test whose files come out: what it said, each file by its path, in the order in which they came.
 * Never checks anything.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type {
  CollectedFile,
  KeptLayer,
  Launch,
  LaunchReport,
  LaunchSpec,
  Sandbox,
} from '../../shared/sandbox/sandbox.ts';

interface Content {
  readonly state: CollectedFile['state'];
  readonly isExecutable: boolean;
  /** One character for each byte. */
  readonly content: string;
}

interface Arrived {
  readonly file: CollectedFile;
  readonly chunks: Buffer[];
}

/** A launch with its collected files. */
export class CollectedRun {
  readonly report: Promise<LaunchReport>;
  /** The kept layer, once the run is over. */
  readonly kept: Promise<KeptLayer>;
  readonly states: string[] = [];
  /** How long the listener takes for each chunk. */
  slowMs = 0;
  waiting = 0;
  said = '';
  readonly #launch: Launch;
  readonly #files: Arrived[] = [];
  #heard: () => void = () => undefined;

  constructor(sandbox: Sandbox, spec: LaunchSpec) {
    const hear = (chunk: Uint8Array): void => {
      this.said += Buffer.from(chunk).toString();
      this.#heard();
    };
    this.#launch = sandbox.launch(spec, {
      stdout: hear,
      stderr: hear,
      collected: (file) => {
        this.states.push(file.state);
        if (file.state !== 'too-many') this.#files.push({ file, chunks: [] });
      },
      collectedData: (chunk) => {
        this.#files.at(-1)?.chunks.push(Buffer.from(chunk));
        return this.slowMs > 0 ? this.#wait() : undefined;
      },
    });
    this.report = this.#launch.report;
    this.kept = this.report.then(() => this.#launch.kept);
  }

  /** By path; a name of no encoding has a character for each byte. */
  get files(): Record<string, Content> {
    const toContent = ({ file: { state, isExecutable }, chunks }: Arrived): Content => {
      return { state, isExecutable, content: Buffer.concat(chunks).toString('latin1') };
    };
    return Object.fromEntries(this.#files.map((one) => [one.file.path, toContent(one)]));
  }

  get paths(): string[] {
    return this.#files.map(({ file }) => Buffer.from(file.pathBytes).toString('latin1'));
  }

  get sizes(): Record<string, number> {
    return Object.fromEntries(this.#files.map(({ file }) => [file.path, file.bytes]));
  }

  async until(text: string): Promise<void> {
    while (!this.said.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  kill(): void {
    this.#launch.kill();
  }

  async #wait(): Promise<void> {
    this.waiting++;
    await wait(this.slowMs);
    this.waiting--;
  }
}
