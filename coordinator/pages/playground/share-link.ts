/**
 * Owns the request as a part of an address: JSON, deflated, in base64url, behind the fragment's mark, so that it is never sent to anybody by opening it.
 * Never runs one, and never writes a key, a secret or anything else that the page does not show into one.
 * Invariant: what was written is read as the same request, or refused with one sentence; nothing that is read grows beyond its bound.
 */
import type { Draft } from './request-parts.ts';
import { readDraft } from './shared-draft.ts';

/** What programs that show and pass on addresses still take, as a whole. */
export const SHARE_CHARACTERS_MAX = 32_000;
/** Of what a link holds, once it is inflated. */
export const SHARED_BYTES_MAX = 2 * 1024 * 1024;

const MARK = '#share=1.';

/** A link's fragment can't be made or read; the message is a sentence for whoever looks. */
export class ShareError extends Error {}

async function pipe(
  bytes: Uint8Array<ArrayBuffer>,
  through: CompressionStream | DecompressionStream,
  bytesMax: number,
) {
  const pieces: Uint8Array[] = [];
  let size = 0;
  const reader = new Blob([bytes]).stream().pipeThrough(through).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > bytesMax) {
      await reader.cancel();
      throw new ShareError(`This link holds more than ${bytesMax} bytes, and was not opened.`);
    }
    pieces.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function toBase64Url(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** The fragment that stands for a request; ShareError when it is too long. */
export async function toFragment(draft: Draft): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(draft));
  const fragment = MARK + toBase64Url(await pipe(bytes, new CompressionStream('deflate-raw'), bytes.length + 1024));
  if (fragment.length > SHARE_CHARACTERS_MAX)
    throw new ShareError(
      `This request makes a link of ${fragment.length} characters, and at most ${SHARE_CHARACTERS_MAX} are of use; take files or input out of it.`,
    );
  return fragment;
}

/** The request that a fragment stands for; null: it stands for none. Rejects with ShareError. */
export async function fromFragment(fragment: string): Promise<Draft | null> {
  if (!fragment.startsWith(MARK)) return null;
  let value: unknown;
  try {
    const base64 = fragment.slice(MARK.length).replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const inflated = await pipe(bytes, new DecompressionStream('deflate-raw'), SHARED_BYTES_MAX);
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(inflated));
  } catch (error) {
    if (error instanceof ShareError) throw error;
    throw new ShareError('This link is damaged: it may have been cut on its way. Ask for it again.');
  }
  const read = readDraft(value);
  if (typeof read === 'string') throw new ShareError(`This link was not opened: ${read}.`);
  return read;
}
