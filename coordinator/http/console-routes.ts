/**
 * Owns serving the operator's console: its page and the files of it, below /console/. Never serves anything of the instance: what the page shows it asks
 * the API for, with the key of whoever looks.
 * Invariant: the page may run, load and ask nothing but its own, and nobody may frame it.
 */
import { Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';
import { SystemError } from '../../shared/errors.ts';
import { Closed } from '../../shared/model/closed.ts';
import { type PageFiles, readPage } from '../pages/page-files.ts';
import type { HttpServer } from './server.ts';

const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "connect-src 'self'", 'img-src data:'],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  "require-trusted-types-for 'script'",
].join('; ');

const YEAR_SECONDS = 31_536_000;

function protect(reply: FastifyReply): FastifyReply {
  return reply
    .header('content-security-policy', POLICY)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .header('cross-origin-opener-policy', 'same-origin')
    .header('cross-origin-resource-policy', 'same-origin');
}

/** Adds the routes; `isKeyed`: does the API need a key? */
export function addConsoleRoutes(server: HttpServer, { isKeyed }: { readonly isKeyed: boolean }): void {
  const config = { isOpen: true };
  let read: PageFiles | null = null;
  const page = () => {
    read ??= readPage('console', { keyed: String(isKeyed) });
    return read;
  };

  server.get('/console', { config, schema: { hide: true } }, (_request, reply) => reply.redirect('/console/', 308));

  server.get('/console/', { config, schema: { hide: true } }, (_request, reply) =>
    protect(reply)
      .header('content-type', 'text/html; charset=utf-8')
      .header('cache-control', 'no-cache')
      .send(page().html),
  );

  server.get(
    '/console/assets/:digest/:file',
    {
      config,
      schema: {
        hide: true,
        params: Closed({ digest: Type.String({ maxLength: 64 }), file: Type.String({ maxLength: 100 }) }),
      },
    },
    (request, reply) => {
      const { digest, file } = request.params;
      const found = digest === page().digest ? page().files.get(file) : undefined;
      if (found === undefined) throw new SystemError('not-found', `the console has no ${file}; load its page again`);
      return protect(reply)
        .header('content-type', found.type)
        .header('cache-control', `public, max-age=${YEAR_SECONDS}, immutable`)
        .send(found.content);
    },
  );
}
