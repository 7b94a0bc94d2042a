/**
 * Owns a process of many agents: the connection, the handshake and the reports are the agent's own code; what it reports is made up, and there is
 * nothing behind it that could run anything. Arguments: where they connect, whose API gives them tokens ('' : nobody's), how many.
 * Prints `in` when the last one has been let in. Invariant: they come evenly over one interval of reports, so that no two of them report together.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { request } from 'undici';
import { Connector } from '../../agent/connection/connector.ts';
import {
  type AgentReport,
  Session,
  type SessionListener,
  type SessionOptions,
} from '../../agent/connection/session.ts';
import { systemClock, systemRandom } from '../../shared/clock.ts';
import { silentLogger } from '../../shared/logger.ts';
import { challengeText } from '../../shared/protocol/agent-messages.ts';

const [url = '', api = '', count = '0'] = process.argv.slice(2);
/** As agents have them when nobody sets anything. */
const timing = { redialMinMs: 250, redialMaxMs: 15_000, heartbeatMs: 10_000 };
const SPREAD_MS = 3000;
const LAYERS = 40;
/** All layers that there are. */
const KNOWN_LAYERS = 3000;
const SLOTS = 4;
const GIBIBYTE = 2 ** 30;

const digests = Array.from(
  { length: KNOWN_LAYERS },
  (_, number) => `sha256:${createHash('sha256').update(`layer ${number}`).digest('hex')}`,
);

function createIdentity(): SessionOptions['identity'] {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  let agentId: string | null = null;
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    get agentId() {
      return agentId;
    },
    prove: (nonce) => sign(null, Buffer.from(challengeText(nonce)), privateKey).toString('base64'),
    enrolled: async (id) => {
      agentId = id;
    },
  };
}

function createReport(number: number): AgentReport {
  return {
    slots: { total: SLOTS, free: SLOTS },
    offer: { memoryBytes: 8 * GIBIBYTE, diskBytes: 64 * GIBIBYTE },
    leases: [],
    layers: Array.from({ length: LAYERS }, (_, each) => digests[(number * 7 + each * each) % KNOWN_LAYERS] as string),
    draining: false,
    trustVersion: 1,
    sandbox: { stock: 4, stockWanted: 4, stockMisses: 0, running: 0, sweeping: 0 },
  };
}

/** A token of a coordinator; the bare server wants none. */
async function askToken(): Promise<string> {
  if (api === '') return 'none';
  const answer = await request(`${api}/v1/agents/enrolments`, { method: 'POST' });
  return ((await answer.body.json()) as { token: string }).token;
}

/** Connects; resolves when the agent is in for the first time. */
function connect(number: number, token: string): Promise<void> {
  const report = createReport(number);
  const { promise, resolve } = Promise.withResolvers<void>();
  const nothing = () => undefined;
  const listener: SessionListener = {
    ...{
      refused: nothing,
      lost: nothing,
      offered: nothing,
      cancelled: nothing,
      commanded: nothing,
      acknowledged: nothing,
    },
    ...{
      wanted: nothing,
      recorded: nothing,
      drainWanted: nothing,
      prefetch: nothing,
      pinned: nothing,
      trusted: nothing,
    },
    welcomed: () => resolve(),
    report: () => report,
  };
  const facts = {
    ...{ name: `crowd-${number}`, release: 'bench', architecture: 'x86_64' as const, kernel: 'bench', cores: SLOTS },
    // What a real execution needs nobody here has: the crowd gets no leases.
    ...{ memoryBytes: 8 * GIBIBYTE, pool: 'crowd', labels: { crowd: 'yes' }, exclusiveCores: false },
  };
  const ports = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const session = new Session({ identity: createIdentity(), token: () => token, facts, ...ports }, listener);
  new Connector({ urls: [url], ...timing, ...ports }, session).start();
  return promise;
}

const agents: Promise<void>[] = [];
for (let number = 0; number < Number(count); number += 1) {
  agents.push(connect(number, await askToken()));
  await pause(SPREAD_MS / Number(count));
}
await Promise.all(agents);
process.stdout.write('in\n');
process.once('SIGTERM', () => process.exit(0));
