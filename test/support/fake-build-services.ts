/**
 * Owns a builder and a verifier that build nothing: HTTP on Unix sockets, real signatures, an in-memory object store's worth of truth.
 * Never runs a script: a test says how each build ends.
 */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { json } from 'node:stream/consumers';
import { digestOf } from '../../shared/digest.ts';
import type { BuildEvent, BuildOrder, ReproductionOrder } from '../../shared/model/build.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import { openFakeVerifier, type Slips } from './fake-verifier.ts';
import { makeReport } from './lease-results.ts';

/** How a build ends: at once, when a promise resolves, or with one event after the other. */
export type BuildScript = (
  order: BuildOrder,
) => readonly BuildEvent[] | AsyncIterable<BuildEvent> | Promise<readonly BuildEvent[] | AsyncIterable<BuildEvent>>;

/** A build that ends well. */
export const builds = (order: BuildOrder): readonly BuildEvent[] => {
  const tar = { digest: digestOf(order.buildId), bytes: 1, entries: 1, rules: 1 };
  const layer = {
    buildId: order.buildId,
    blob: { digest: digestOf(`z${order.buildId}`), bytes: 1 },
    tar,
    variables: {},
  };
  const end = { report: makeReport(), verify: null, materials: [], isNetworkUnreachable: false };
  return [
    { type: 'log', stream: 'stdout', text: `building ${order.kind}\n` },
    { type: 'finished', endedIn: null, layer, ...end, isPrivate: order.isPrivate },
  ];
};

/** A verifier that signs what it was asked for. */
const noSlips: Slips = { signedAs: (spec) => spec };

/** Which second builds the verifier was asked about, and what it thinks of them: nothing wrong, or a refusal's sentence. */
const noReproductions = () => ({
  reproductions: [] as ReproductionOrder[],
  refusals: { candidate: null as string | null, reproduction: null as string | null },
});

type AsyncListener = (...parameters: Parameters<RequestListener>) => Promise<unknown>;

/** Starts a server on a Unix socket; what a listener has begun is in `underWay` until it is over. */
async function serve(path: string, underWay: Set<Promise<unknown>>, listener: AsyncListener): Promise<Server> {
  const server = createServer((request, response) => {
    const answered = listener(request, response).catch(() => response.destroy());
    underWay.add(answered);
    void answered.then(() => underWay.delete(answered));
  }).listen(path);
  await once(server, 'listening');
  return server;
}

/** Both services; `orders` holds every build that was asked for. */
export async function startBuildServices(folder: string, store: ObjectStore) {
  const state = {
    script: builds as BuildScript,
    orders: [] as BuildOrder[],
    closedEarly: 0,
    verifierCode: 200,
    ...noReproductions(),
    ...noSlips,
  };
  const underWay = new Set<Promise<unknown>>();
  const builder = await serve(`${folder}/builder.sock`, new Set(), async (request, response) => {
    if (request.method !== 'POST') return response.end('{}');
    const order = (await json(request)) as BuildOrder;
    state.orders.push(order);
    response.on('close', () => {
      if (response.writableFinished) return;
      state.closedEarly += 1;
      builder.emit('closed-early');
    });
    response.writeHead(200, { 'content-type': 'application/x-ndjson' }).flushHeaders();
    for await (const event of await state.script(order)) response.write(`${JSON.stringify(event)}\n`);
    return response.end();
  });
  const answer = await openFakeVerifier(`${folder}/verifier-keys`, store, state);
  const verifier = await serve(`${folder}/verifier.sock`, underWay, async (request, response) => {
    if (state.verifierCode !== 200) return response.writeHead(state.verifierCode).end('{}');
    const { code, body } = await answer(request);
    return response.writeHead(code).end(JSON.stringify(body));
  });
  /** Resolves when the verifier writes to the store no more; a build that a test holds open is nobody's to wait for. */
  const settled = async () => {
    while (underWay.size > 0) await Promise.all(underWay);
  };
  return Object.assign(state, { builder, verifier, settled });
}
