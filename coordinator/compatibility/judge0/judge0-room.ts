/**
 * Owns the room that speaks Judge0's protocol (CE 1.13): how errors are told there, and which routes it has; those are in files of their own, and what
 * runs is native. Never starts anything itself.
 * Invariant: an error has the protocol's form, with our reason in it where the protocol leaves room for one.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SystemError } from '../../../shared/errors.ts';
import type { HttpServer } from '../../http/server.ts';
import { openRoom } from '../room.ts';
import { type Judge0Deps, type Judge0Options, KEY, readKey } from './judge0.ts';
import { addInformation } from './judge0-information.ts';
import { Languages } from './judge0-languages.ts';
import { addRecords } from './judge0-records.ts';
import { toSettings } from './judge0-settings.ts';
import { addSubmissions } from './judge0-submissions.ts';

const statusOf: Readonly<Record<string, number>> = { 'queue-full': 503, 'limit-above-maximum': 422 };
const reasonOf: Readonly<Record<string, string>> = { 'queue-full': 'queue is full' };

function refuse(error: SystemError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const status = statusOf[error.code] ?? error.http;
  reply.code(status);
  // Rails tells its own errors only to whoever asks for JSON.
  if (status === 401 || status === 403) return reply.send();
  if (status === 404)
    return /json/.test(request.headers.accept ?? '') ? reply.send({ status, error: 'Not Found' }) : reply.send();
  if (status === 400 && error.errors.length === 0) return reply.send({ status, error: 'Bad Request' });
  if (error.code === 'internal') return reply.send({ status, error: 'Internal Server Error' });
  return reply.send({ error: reasonOf[error.code] ?? error.message });
}

/** Adds the room to the server. */
export function addJudge0Room(server: HttpServer, deps: Judge0Deps, options: Judge0Options): void {
  const { log, recipes } = deps;
  const shared = { ...deps, options, languages: new Languages(recipes), settings: toSettings(options.limitMaxima) };
  const keyOf = (request: FastifyRequest) => readKey(request, KEY);
  openRoom(server, { log, bodyBytesMax: options.bodyBytesMax, keyOf, refuse }, (room) => {
    addSubmissions(room, shared);
    addRecords(room, shared);
    addInformation(room, shared);
  });
}
