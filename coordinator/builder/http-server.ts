/**
 * Owns the builder's HTTP face on its Unix socket: POST /builds (events as lines of JSON), DELETE /builds/:id, GET /health.
 * Never decides who may connect: the socket's folder and mode do.
 * Invariant: a client that closes its request cancels its build.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import { BuildOrder } from '../../shared/model/build.ts';
import type { BuildService } from './build-service.ts';

/** Files of 32 MiB in base64, scripts, envelopes of parents and room around them. */
const BODY_BYTES_MAX = 96 * 1024 * 1024;
const orderCheck = TypeCompiler.Compile(BuildOrder);
const buildPath = /^\/builds\/(build_[0-9a-z]{8,64})$/;

/** The server, not yet listening. */
export function createHttpServer(service: BuildService): Server {
  const server = createServer((request, response) => {
    answer(service, request, response).catch((error: unknown) => refuse(response, toSystemError(error)));
  });
  // A build is silent for as long as its script is; its own limits end it.
  server.requestTimeout = 0;
  return server;
}

async function answer(service: BuildService, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = '' } = request;
  const buildId = buildPath.exec(url)?.[1];
  if (method === 'POST' && url === '/builds') {
    await build(service, request, response);
  } else if (method === 'DELETE' && buildId !== undefined) {
    await service.remove(buildId);
    response.writeHead(204).end();
  } else if (method === 'GET' && url === '/health') {
    send(response, 200, service.gauges);
  } else {
    throw new SystemError('not-found', `there is no ${method} ${url}`);
  }
}

async function build(service: BuildService, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const order = await readOrder(request);
  service.assertAcceptable(order);
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  response.on('close', () => service.cancel(order.buildId));
  await service.build(order, (event) => {
    if (!response.destroyed) response.write(`${JSON.stringify(event)}\n`);
  });
  response.end();
}

async function readOrder(request: IncomingMessage): Promise<BuildOrder> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX)
      throw new SystemError('body-too-large', `an order has at most ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  const order = parse(Buffer.concat(chunks).toString('utf8'));
  if (orderCheck.Check(order)) return order;
  const first = orderCheck.Errors(order).First();
  throw new SystemError('request-invalid', `a build order is not valid at ${first?.path}: ${first?.message}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SystemError('request-invalid', 'a build order is JSON; this is none', { cause });
  }
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, error: SystemError): void {
  if (response.headersSent) response.destroy(error);
  else send(response, error.http, { code: error.code, detail: error.message });
}
