/**
 * Owns the verifier's face: its routes over HTTP on a Unix socket, JSON in, JSON out, errors as `{ code, detail }`.
 * Never decides anything about a layer or a key. Whoever can open the socket is the coordinator: the folder's rights say who that is.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Static, TSchema } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { SystemError, toSystemError } from '../../../shared/errors.ts';
import type { Logger } from '../../../shared/logger.ts';
import { AgentKeyOrder } from '../../../shared/model/agent-keys.ts';
import {
  PromotionOrder,
  PublicationOrder,
  ReproductionCandidate,
  ReproductionOrder,
} from '../../../shared/model/build.ts';
import { SweepOrder } from '../../../shared/model/sweep.ts';
import { TrustOrder } from '../../../shared/model/trust.ts';
import type { AgentKeySigner } from './agent-key-signer.ts';
import type { SigningKeys } from './signing-key.ts';
import type { Sweeper } from './sweeper.ts';
import type { TrustSigner } from './trust-signer.ts';
import type { Verifier } from './verifier.ts';

/** Scripts, files and materials of one order together. */
const BODY_BYTES_MAX = 128 * 1024 ** 2;
const CONNECTIONS_MAX = 64;

type Routes = Readonly<Record<string, (body: Buffer) => Promise<unknown>>>;

/** Who does what the routes ask for. */
export interface VerifierServices {
  readonly verifier: Verifier;
  readonly keys: SigningKeys;
  readonly trust: TrustSigner;
  readonly agentKeys: AgentKeySigner;
  readonly sweeper: Sweeper;
}

/** The server of a verifier, not yet listening. */
export function createVerifierServer(services: VerifierServices, logger: Logger): Server {
  const { verifier, keys, trust, agentKeys, sweeper } = services;
  const toPublication = createDecoder(PublicationOrder);
  const toPromotion = createDecoder(PromotionOrder);
  const toCandidate = createDecoder(ReproductionCandidate);
  const toReproduction = createDecoder(ReproductionOrder);
  const toTrust = createDecoder(TrustOrder);
  const toAgentKeys = createDecoder(AgentKeyOrder);
  const toSweep = createDecoder(SweepOrder);
  const routes: Routes = {
    'GET /health': async () => ({ state: 'ready' }),
    'GET /keys': async () => keys.list(),
    'POST /keys/announce': () => trust.announce(),
    'POST /keys/switch': () => trust.switch(),
    'POST /keys/retire': () => trust.retire(),
    'POST /trust': (body) => trust.sign(toTrust(body).revocations),
    'POST /agent-keys': (body) => agentKeys.sign(toAgentKeys(body).agents),
    'POST /sweeps': (body) => sweeper.sweep(toSweep(body)),
    'POST /publications': (body) => verifier.publish(toPublication(body)),
    'POST /promotions': (body) => verifier.promote(toPromotion(body)),
    'POST /reproductions/candidates': async (body) => {
      await verifier.checkCandidate(toCandidate(body));
      return { isCandidate: true };
    },
    'POST /reproductions': (body) => verifier.reproduce(toReproduction(body)),
  };
  const server = createServer((request, response) => {
    answer(routes, request, response, logger).catch((error: unknown) => {
      logger.warn({ error: toSystemError(error).message }, 'answer not sent');
      response.destroy();
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  // A large layer takes its time, and the coordinator has a deadline of its own.
  server.requestTimeout = 0;
  return server;
}

async function answer(
  routes: Routes,
  request: IncomingMessage,
  response: ServerResponse,
  logger: Logger,
): Promise<void> {
  try {
    const route = routes[`${request.method} ${request.url}`];
    if (route === undefined) throw new SystemError('not-found', `there is no ${request.method} ${request.url} here`);
    send(response, 200, await route(await readBody(request)));
  } catch (error) {
    const { code, http, message, cause } = toSystemError(error);
    if (code === 'internal') logger.error({ error: String(cause ?? message) }, 'request failed');
    send(response, http, { code, detail: message });
  }
}

function send(response: ServerResponse, code: number, value: unknown): void {
  const type = code === 200 ? 'application/json' : 'application/problem+json';
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(code, { 'content-type': type, 'content-length': body.length }).end(body);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) {
      throw new SystemError('body-too-large', `an order has at most ${BODY_BYTES_MAX} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function createDecoder<Schema extends TSchema>(schema: Schema): (body: Buffer) => Static<Schema> {
  const check = TypeCompiler.Compile(schema);
  return (body) => {
    const value = parse(body);
    if (check.Check(value)) return value;
    const problem = check.Errors(value).First();
    throw new SystemError('request-invalid', `${problem?.path || '/'}: ${problem?.message ?? 'not valid'}`);
  };
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new SystemError('request-invalid', 'the body is not JSON', { cause });
  }
}
