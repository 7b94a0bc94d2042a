/**
 * Owns what a program writes, while it writes it and after: one box for each stream, text where it is text, bytes where it is not. Never takes any of it for
 * anything but text. Invariant: what stands there at the end is what the result says, however much of it came before.
 */
import type { Execution } from '../../../shared/model/execution.ts';
import { make, makeButton, setText } from '../foundation/elements.ts';
import { toBytesText } from '../foundation/formats.ts';
import { LogText } from '../foundation/log-text.ts';
import { toBytes, toHexRows, toWritten, type WrittenOutput } from './output-bytes.ts';

/** Shown of what is no text. */
const HEX_BYTES_MAX = 512;

type Stream = 'stdout' | 'stderr';
type ScriptName = 'compile' | 'run';

/** One stream of one script. */
class StreamBox {
  readonly root: HTMLElement;
  readonly #text: LogText;
  readonly #note = make('p', { class: 'note', hidden: '' });
  #decoder = new TextDecoder();

  constructor(title: string, kind: string) {
    this.#text = new LogText(title);
    this.root = make('section', { class: `part output ${kind}` }, make('h2', {}, title), this.#text.root, this.#note);
    this.root.hidden = true;
  }

  clear(): void {
    this.#decoder = new TextDecoder();
    this.#text.set('');
    this.#note.hidden = true;
    this.root.hidden = true;
  }

  add(base64: string): void {
    this.root.hidden = false;
    this.#text.add(this.#decoder.decode(toBytes(base64), { stream: true }));
  }

  end(written: WrittenOutput, nothing: string): void {
    const isEmpty = written.kind === 'text' ? written.text === '' : written.bytes.length === 0;
    this.root.hidden = isEmpty && nothing === '';
    this.#text.set(written.kind === 'text' ? written.text : toHexRows(written.bytes, HEX_BYTES_MAX));
    const notes = [
      isEmpty ? nothing : '',
      written.kind === 'binary' ? `These ${toBytesText(written.bytes.length)} are no text.` : '',
      written.isCut ? 'It wrote more than is kept: this is the beginning.' : '',
    ].filter((note) => note !== '');
    this.#note.hidden = notes.length === 0;
    setText(this.#note, notes.join(' '));
    if (written.kind === 'binary')
      this.#note.append(
        ' ',
        makeButton('Save them', () => save(written.bytes)),
      );
  }
}

function save(bytes: Uint8Array<ArrayBuffer>): void {
  const href = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
  make('a', { href, download: 'output.bin' }).click();
  URL.revokeObjectURL(href);
}

/** See the head of this file. */
export class OutputView {
  readonly root: HTMLElement;
  readonly #boxes: Readonly<Record<ScriptName, Readonly<Record<Stream, StreamBox>>>> = {
    compile: {
      stderr: new StreamBox('Compiler’s messages', 'error'),
      stdout: new StreamBox('Compiler’s output', 'plain'),
    },
    run: { stdout: new StreamBox('Output', 'plain'), stderr: new StreamBox('Errors', 'error') },
  };

  constructor() {
    const { compile, run } = this.#boxes;
    const boxes = [compile.stderr, compile.stdout, run.stdout, run.stderr];
    this.root = make('div', { class: 'outputs' }, ...boxes.map((box) => box.root));
  }

  clear(): void {
    for (const { stdout, stderr } of Object.values(this.#boxes)) {
      stdout.clear();
      stderr.clear();
    }
  }

  /** A piece of a stream, as its event says it. */
  add(stream: Stream, data: unknown): void {
    const { script, data: base64 } = data as { script: ScriptName; data: string };
    this.#boxes[script]?.[stream].add(base64);
  }

  end(execution: Pick<Execution, 'compile' | 'run'>): void {
    for (const script of ['compile', 'run'] as const) {
      const report = execution[script];
      if (report === null) continue;
      for (const stream of ['stdout', 'stderr'] as const) {
        const nothing = script === 'run' && stream === 'stdout' ? 'It wrote nothing.' : '';
        this.#boxes[script][stream].end(toWritten(report, stream), nothing);
      }
    }
  }
}
