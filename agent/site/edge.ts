/**
 * Owns putting an agent's edge together: its keys, what it remembers, its executions and the local API, on loopback and nowhere else. Imported only
 * where the owner has enabled it: the HTTP server is a third of an agent's memory. Never decides anything.
 * Invariant: after `stop` it does not listen, nothing runs and nothing is being written.
 */
import { SystemError } from '../../shared/errors.ts';
import type { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import type { AgentLayers, AgentNeeds } from '../agent-needs.ts';
import type { AgentConfig } from '../config.ts';
import type { AgentFacts } from '../connection/session.ts';
import { readEdgeKeys } from './edge-keys.ts';
import { createEdgeServer } from './edge-routes.ts';
import { HeldEnvironments } from './held-environments.ts';
import type { Site } from './site.ts';
import { SiteExecutions } from './site-executions.ts';
import { SiteRecords } from './site-records.ts';

/** What an edge shares with its agent. */
export interface EdgeNeeds extends Pick<AgentNeeds, 'sandbox' | 'identity' | 'clock' | 'random' | 'logger'> {
  readonly layers: AgentLayers;
  readonly trust: Pick<ManifestTrust, 'open'>;
  readonly facts: AgentFacts;
}

/** An agent's edge. */
export interface Edge {
  readonly site: Site;
  /** Serves the local API; SystemError `requirement-missing` when the port is taken. */
  listen(): Promise<void>;
  /** Ends connections; what runs is the site's to end. Idempotent. */
  close(): Promise<void>;
  /** Resolves when nothing is being written. */
  settled(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

/** Takes over what an earlier process left; SystemError `configuration-invalid` when the keys can't be used. */
export async function openEdge(needs: EdgeNeeds, config: AgentConfig): Promise<Edge> {
  const { clock, random, logger } = needs;
  const keys = readEdgeKeys(config.edgeKeysFile);
  const environments = await HeldEnvironments.open(config.stateDirectory, needs);
  const bounds = { entriesMax: config.edgeRecordsMax, bytesMax: config.edgeRecordsBytesMax };
  const records = await SiteRecords.open(config.stateDirectory, bounds, logger);
  const options = { queueDepthMax: config.edgeQueueDepthMax };
  const executions = new SiteExecutions({ ...needs, environments, records }, options);
  const server = createEdgeServer({ log: logger, random, clock, keys, executions });
  let closing: Promise<void> | null = null;
  return {
    site: executions,
    async listen() {
      const port = config.edgeListenPort;
      await server.listen({ host: LOOPBACK, port }).catch((cause: NodeJS.ErrnoException) => {
        const sentence = `the local API can't listen on ${LOOPBACK}:${port} (${cause.code}): stop what listens there, or set edgeListenPort`;
        throw new SystemError('requirement-missing', sentence, { cause });
      });
      logger.info({ url: `http://${LOOPBACK}:${port}` }, 'local API ready');
    },
    close() {
      closing ??= server.close();
      return closing;
    },
    async settled() {
      await Promise.all([environments.settled(), records.settled()]);
    },
  };
}
