/**
 * Owns files that are sent once and named by executions, and what executions left. Never keeps one.
 * Invariant: the same bytes are the same file, so that sending them again after a broken connection changes nothing; a stream can be sent once only.
 */
import type { StoredFile } from '../../shared/model/file.ts';
import { EnvicutorError } from './envicutor-error.ts';
import type { CallOptions } from './execution-handle.ts';
import { type ListOptions, walk } from './pages.ts';
import type { Transport } from './transport.ts';

/** What can be sent. */
export type FileContent = string | Uint8Array<ArrayBuffer> | ArrayBuffer | Blob | ReadableStream<Uint8Array>;

const BYTES_TYPE = 'application/octet-stream';
/** The server answers when it has all of it, which may take it two minutes. */
const UPLOAD_MS_MAX = 150_000;

const pathOf = (id: string) => `/v1/files/${encodeURIComponent(id)}`;

/** Browsers send streams by HTTP/2 alone, and say so too late. */
const isBrowser = () => 'document' in globalThis || 'WorkerGlobalScope' in globalThis;

/** The files of a tenant. */
export class Files {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Sends a file. In browsers a stream is gathered before. */
  async upload(content: FileContent, { signal }: CallOptions = {}): Promise<StoredFile> {
    const isStream = content instanceof ReadableStream;
    const sent = isStream && isBrowser() ? await new Response(content).blob() : content;
    return await this.#transport
      .ask<StoredFile>({
        ...{ method: 'POST', path: '/v1/files', signal, silenceMsMax: UPLOAD_MS_MAX },
        body: { content: sent, type: BYTES_TYPE },
        isRepeated: () => !(sent instanceof ReadableStream),
      })
      .catch((error: unknown) => {
        if (!(sent instanceof ReadableStream && error instanceof EnvicutorError && error.isRetryable)) throw error;
        const detail = `${error.detail}; a stream can't be sent again: make another one`;
        throw new EnvicutorError('stream-consumed', detail, { cause: error });
      });
  }

  /** All bytes of a file. */
  download(id: string, { signal }: CallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.#transport.askBytes({ method: 'GET', path: pathOf(id), signal });
  }

  /** The same as they come, for what is large; a connection that breaks within them goes on where it was. */
  stream(id: string, { signal }: CallOptions = {}): ReadableStream<Uint8Array> {
    const pieces = this.#pieces(id, signal);
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await pieces.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        },
        async cancel() {
          await pieces.return();
        },
      },
      { highWaterMark: 0 },
    );
  }

  async *#pieces(id: string, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    const trouble = this.#transport.trouble();
    for (let at = 0; ; ) {
      try {
        const headers: Record<string, string> = at === 0 ? {} : { range: `bytes=${at}-` };
        const answer = await this.#transport.open({ method: 'GET', path: pathOf(id), headers, signal });
        try {
          // A file of an id never changes; who does not know ranges begins anew.
          let known = answer.status === 206 ? 0 : at;
          for (let piece = await answer.read(); piece !== null; piece = await answer.read()) {
            trouble.end();
            const fresh = piece.subarray(Math.min(known, piece.length));
            known -= piece.length - fresh.length;
            at += fresh.length;
            if (fresh.length > 0) yield fresh;
          }
          return;
        } finally {
          answer.close();
        }
      } catch (error) {
        // All of it was there, and only the end of the connection was not.
        if (error instanceof EnvicutorError && error.status === 416 && at > 0) return;
        await trouble.wait(error, this.#transport.signals(signal));
      }
    }
  }

  /** Has a file forgotten. */
  async delete(id: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#transport.remove({ method: 'DELETE', path: pathOf(id), signal });
  }

  /** All of the tenant's, newest first. */
  list(options: ListOptions = {}): AsyncGenerator<StoredFile, void, undefined> {
    return walk<StoredFile>(this.#transport, '/v1/files', options);
  }
}
