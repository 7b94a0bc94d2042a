/**
 * Owns the files that a launch brings out, while they come: each one's name, state and bytes, in memory.
 * Never writes one anywhere and never bounds them: the launcher does, by the spec's `collect`.
 */
import { OutputBuffer } from './output-buffer.ts';
import type { CollectedFile } from './sandbox.ts';

/** One file that matched; `content` is null unless its state is `copied`. */
export interface CollectedOutput extends CollectedFile {
  readonly content: Uint8Array | null;
}

/** The files of one launch. */
export class CollectedFiles {
  readonly #files: { readonly file: CollectedFile; readonly buffer: OutputBuffer }[] = [];

  /** The next file; its bytes follow by `append`. */
  begin(file: CollectedFile): void {
    this.#files.push({ file, buffer: new OutputBuffer() });
  }

  append(chunk: Uint8Array): void {
    this.#files.at(-1)?.buffer.append(chunk);
  }

  /** All that came, in the launcher's order. */
  all(): CollectedOutput[] {
    return this.#files.map(({ file, buffer }) => ({
      ...file,
      content: file.state === 'copied' ? buffer.bytes() : null,
    }));
  }
}
