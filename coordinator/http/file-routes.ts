/**
 * Owns the routes of files: upload, download, list, delete, and what agents fetch. Never holds a whole file in memory.
 * Invariant: what a stranger sent is never shown as a page of ours: every download is an attachment of one type, sandboxed for whoever opens it anyway.
 */
import type { Readable } from 'node:stream';
import { Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toTimestamp } from '../../shared/clock.ts';
import { digestHex } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { IdParams, PageOf, PageQuery, problems, toPageAnswer, toPageRequest } from '../../shared/http/answers.ts';
import { Closed } from '../../shared/model/closed.ts';
import { StoredFile } from '../../shared/model/file.ts';
import type { ByteRange, ObjectStore } from '../../shared/storage/object-store.ts';
import type { FileRow } from '../executions/file-store.ts';
import type { FileService, IncomingBody } from '../files/file-service.ts';
import { FILES_PATH, type FileUrls } from '../files/file-urls.ts';
import type { HttpServer } from './server.ts';

/** What the routes talk to. */
export interface FileRoutesDeps {
  readonly files: FileService;
  readonly urls: FileUrls;
  readonly objects: Pick<ObjectStore, 'get'>;
}

const BYTES_TYPE = 'application/octet-stream';

/** A file as it is told. */
function toStoredFile({ id, sha256, bytes, expiresAtMs }: FileRow): StoredFile {
  return { id, sha256: digestHex(sha256), bytes, expiresAt: toTimestamp(expiresAtMs) };
}

/** Lets this part of the server take bodies of bytes as they come, and no others. */
export function takeBytes(server: HttpServer): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(BYTES_TYPE, (_request, body, done) => done(null, body));
  server.addContentTypeParser('*', (_request, _body, done) =>
    done(new SystemError('media-type-unsupported', `send the bytes of a file as ${BYTES_TYPE}`)),
  );
}

/** The body of such a request. */
export function toIncoming({ body, headers }: FastifyRequest): IncomingBody {
  // What has no body says so by having no type either.
  if (body === undefined || body === null)
    throw new SystemError('media-type-unsupported', `send the bytes of a file as ${BYTES_TYPE}`);
  const length = headers['content-length'];
  return { body: body as Readable, announced: length === undefined ? null : Number(length) };
}

/** Adds the routes. */
export function addFileRoutes(server: HttpServer, deps: FileRoutesDeps): void {
  server.register(async (scope) => addUpload(scope as HttpServer, deps.files));
  addRecords(server, deps.files);
  addDownload(server, deps.files);
  addAgentsDownload(server, deps);
}

function addUpload(server: HttpServer, files: FileService): void {
  takeBytes(server);
  server.post(
    '/v1/files',
    {
      config: { scope: 'execute' },
      schema: {
        summary: 'Send a file once, for any number of executions',
        takesBytes: true,
        response: { 200: StoredFile, ...problems },
      },
    },
    async (request) => toStoredFile(await files.upload(request.tenant.id, toIncoming(request))),
  );
}

function addRecords(server: HttpServer, files: FileService): void {
  server.get(
    '/v1/files',
    {
      config: { scope: 'execute' },
      schema: {
        summary: "The tenant's files, newest first",
        querystring: PageQuery,
        response: { 200: PageOf(StoredFile), ...problems },
      },
    },
    async (request) => {
      const { cursor, limit } = toPageRequest(request.query);
      const { items, next } = await files.list(request.tenant.id, cursor, limit);
      return toPageAnswer({ items: items.map(toStoredFile), next });
    },
  );

  server.delete(
    '/v1/files/:id',
    {
      config: { scope: 'execute' },
      schema: { summary: 'Delete a file', params: IdParams, response: { 204: Type.Null(), ...problems } },
    },
    async (request, reply) => {
      await files.delete(request.tenant.id, request.params.id);
      return reply.code(204).send(null);
    },
  );
}

function addDownload(server: HttpServer, files: FileService): void {
  server.get(
    '/v1/files/:id',
    {
      exposeHeadRoute: false,
      config: { scope: 'execute' },
      schema: { summary: "A file's bytes, or a range of them", params: IdParams, givesBytes: true, response: problems },
    },
    async (request, reply) => {
      const row = await files.find(request.tenant.id, request.params.id);
      return await sendFile(request, reply, row, files);
    },
  );

  server.head(
    '/v1/files/:id',
    { config: { scope: 'execute' }, schema: { params: IdParams, hide: true } },
    async (request, reply) => {
      const row = await files.find(request.tenant.id, request.params.id);
      describe(reply, row);
      return reply.header('content-length', row.bytes).send();
    },
  );
}

async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  row: FileRow,
  files: FileService,
): Promise<FastifyReply> {
  const range = toRange(request, row);
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${row.bytes}`);
    throw new SystemError('range-unsatisfiable', `the file has ${row.bytes} bytes`);
  }
  describe(reply, row);
  if (isKnown(request, row)) return reply.code(304).send();
  const { body } = await files.open(row, range ?? undefined);
  if (range === null) return reply.header('content-length', row.bytes).send(body);
  const { start, end } = range;
  return reply
    .code(206)
    .header('content-range', `bytes ${start}-${end}/${row.bytes}`)
    .header('content-length', end - start + 1)
    .send(body);
}

function describe(reply: FastifyReply, { id, sha256, expiresAtMs }: FileRow): void {
  const digest = Buffer.from(digestHex(sha256), 'hex').toString('base64');
  reply
    .header('content-type', BYTES_TYPE)
    .header('content-disposition', `attachment; filename="${id}"`)
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "default-src 'none'; sandbox")
    .header('cross-origin-resource-policy', 'same-origin')
    .header('cache-control', 'private, no-cache')
    .header('accept-ranges', 'bytes')
    .header('etag', toTag(sha256))
    .header('repr-digest', `sha-256=:${digest}:`)
    .header('x-expires-at', toTimestamp(expiresAtMs));
}

const toTag = (sha256: FileRow['sha256']) => `"${digestHex(sha256)}"`;

function isKnown({ headers }: FastifyRequest, { sha256 }: FileRow): boolean {
  const known = headers['if-none-match'];
  return known !== undefined && (known.trim() === '*' || known.split(',').some((tag) => tag.trim() === toTag(sha256)));
}

/** The one range that is asked for; null: the whole, as for several or for what is no range. */
function toRange({ headers }: FastifyRequest, { bytes, sha256 }: FileRow): ByteRange | null | 'unsatisfiable' {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.range ?? '') ?? [];
  const condition = headers['if-range'];
  if ((first === '' && last === '') || (condition !== undefined && condition !== toTag(sha256))) return null;
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null;
  return start > end ? 'unsatisfiable' : { start, end };
}

function addAgentsDownload(server: HttpServer, { urls, objects }: FileRoutesDeps): void {
  server.get(
    `${FILES_PATH}/:token`,
    { config: { isOpen: true }, schema: { hide: true, params: Closed({ token: Type.String({ maxLength: 256 }) }) } },
    async (request, reply) => {
      const objectKey = urls.objectOf(request.params.token);
      if (objectKey === null) throw new SystemError('forbidden', 'this URL is not valid any more; ask for a new one');
      const content = await objects.get(objectKey);
      if (content === null) throw new SystemError('not-found', 'there is no such object');
      return reply
        .header('content-type', BYTES_TYPE)
        .header('content-length', content.bytes)
        .header('x-content-type-options', 'nosniff')
        .header('content-security-policy', "default-src 'none'; sandbox")
        .send(content.body);
    },
  );
}
