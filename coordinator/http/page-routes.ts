/**
 * Owns serving pages: the operator's console and the playground, each its HTML and the files of it, below its own folder. Never serves anything of the
 * instance: what a page shows it asks the API for, with the key of whoever looks.
 * Invariant: a page may run, load and ask nothing but its own, and nobody may frame it.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Random } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { Closed } from '../../shared/model/closed.ts';
import { type PageFiles, readPage } from '../pages/page-files.ts';
import type { PageName } from '../pages/page-settings.ts';
import type { HttpServer } from './server.ts';

/** Which pages are served, and to whom. */
export interface PageRoutesOptions {
  readonly pages: readonly PageName[];
  /** Does the API need a key? */
  readonly isKeyed: boolean;
  readonly random: Pick<Random, 'bytes'>;
}

const YEAR_SECONDS = 31_536_000;
const NONCE_BYTES = 18;
/** Stands in a page's HTML for what is another with every answer; a page without it makes no style of its own. */
const NONCE = '{{nonce}}';
/** Of the playground's first files it makes 265 KB in 75 ms; 5 would make 275 KB in 25 ms. */
const BROTLI_QUALITY = 9;

/** What a page's own style and the one script in its HTML are known by. */
function toPolicy(nonce: string | null, importMap: string): string {
  const isMapped = nonce !== null;
  const digest = isMapped ? ` 'sha256-${createHash('sha256').update(importMap).digest('base64')}'` : '';
  return [
    "default-src 'none'",
    `script-src 'self'${digest}`,
    `style-src 'self'${isMapped ? ` 'nonce-${nonce}'` : ''}`,
    ...["connect-src 'self'", 'img-src data:'],
    ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

function protect(reply: FastifyReply, policy: string): FastifyReply {
  return reply
    .header('content-security-policy', policy)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .header('cross-origin-opener-policy', 'same-origin')
    .header('cross-origin-resource-policy', 'same-origin');
}

const compressions = {
  br: (content: string): Promise<Buffer> =>
    promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  gzip: (content: string): Promise<Buffer> => promisify(gzip)(content),
} as const;

/** The smallest form that whoever asks says he reads; null: as it is. */
function toEncoding({ headers }: FastifyRequest): keyof typeof compressions | null {
  const read = new Set(
    String(headers['accept-encoding'] ?? '')
      .split(',')
      .filter((word) => !/;\s*q=0(\.0*)?\s*$/.test(word))
      .map((word) => word.replace(/;.*/, '').trim().toLowerCase()),
  );
  return read.has('br') ? 'br' : read.has('gzip') ? 'gzip' : null;
}

/** A page that is read when it is first asked for, and whose files are compressed when they are. */
class ServedPage {
  readonly #read: () => PageFiles;
  #files: PageFiles | null = null;
  readonly #compressed = new Map<string, Promise<Buffer>>();

  constructor(read: () => PageFiles) {
    this.#read = read;
  }

  get files(): PageFiles {
    this.#files ??= this.#read();
    return this.#files;
  }

  /** A file in a form, made once; off the thread that everything else runs on. */
  compressed(file: string, content: string, encoding: keyof typeof compressions): Promise<Buffer> {
    const name = `${encoding} ${file}`;
    const known = this.#compressed.get(name) ?? compressions[encoding](content);
    this.#compressed.set(name, known);
    return known;
  }
}

/** Adds the routes of all pages that are served. */
export function addPageRoutes(server: HttpServer, options: PageRoutesOptions): void {
  for (const name of options.pages) addPage(server, name, options);
}

function addPage(server: HttpServer, name: PageName, { pages, isKeyed, random }: PageRoutesOptions): void {
  const config = { isOpen: true };
  const known = { keyed: String(isKeyed), pages: pages.join(' ') };
  const page = new ServedPage(() => readPage(name, known));

  server.get(`/${name}`, { config, schema: { hide: true } }, (_request, reply) => reply.redirect(`/${name}/`, 308));

  server.get(`/${name}/`, { config, schema: { hide: true } }, (_request, reply) => {
    const { html, importMap } = page.files;
    const nonce = html.includes(NONCE) ? Buffer.from(random.bytes(NONCE_BYTES)).toString('base64url') : null;
    return protect(reply, toPolicy(nonce, importMap))
      .header('content-type', 'text/html; charset=utf-8')
      .header('cache-control', 'no-cache')
      .send(nonce === null ? html : html.replaceAll(NONCE, nonce));
  });

  const word = (maxLength: number) => Type.String({ maxLength });
  server.get(
    `/${name}/assets/:digest/:folder/:file`,
    { config, schema: { hide: true, params: Closed({ digest: word(64), folder: word(64), file: word(100) }) } },
    async (request, reply) => {
      const { digest, folder, file } = request.params;
      const path = `${folder}/${file}`;
      const found = digest === page.files.digest ? page.files.files.get(path) : undefined;
      if (found === undefined) throw new SystemError('not-found', `the ${name} has no ${path}; load its page again`);
      protect(reply, toPolicy(null, ''))
        .header('content-type', found.type)
        .header('vary', 'accept-encoding')
        .header('cache-control', `public, max-age=${YEAR_SECONDS}, immutable`);
      const encoding = toEncoding(request);
      if (encoding === null) return reply.send(found.content);
      const compressed = await page.compressed(path, found.content, encoding);
      return reply.header('content-encoding', encoding).send(compressed);
    },
  );
}
