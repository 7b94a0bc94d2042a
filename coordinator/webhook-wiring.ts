/**
 * Owns the wiring of webhooks: by which rules receivers are allowed, who sends, who is asked by tenants. Never starts anything.
 */
import { networkInterfaces } from 'node:os';
import { RELEASE } from '../shared/protocol/version.ts';
import type { Cluster } from './cluster/cluster.ts';
import { translateDeliveries } from './compatibility/room-deliveries.ts';
import type { CoordinatorConfig } from './config.ts';
import type { CoordinatorDeps } from './coordinator-deps.ts';
import { Deliveries } from './deliveries/deliveries.ts';
import type { ReceiverRules } from './deliveries/receiver-rules.ts';
import { createDnsResolve } from './deliveries/resolver.ts';
import { HttpSender } from './deliveries/sender.ts';
import { WebhookSecrets } from './deliveries/signatures.ts';
import { Webhooks } from './deliveries/webhooks.ts';
import { createAddressPolicy } from './egress/address-policy.ts';
import { loadRoots } from './egress/trust.ts';
import type { Metrics } from './metrics/metrics.ts';

/** Which receivers an operator's settings allow. */
export function toReceiverRules(config: CoordinatorConfig): ReceiverRules {
  const addresses = createAddressPolicy({
    allowedPrivateRanges: config.webhookPrivateRanges,
    deniedRanges: config.webhookDeniedRanges,
    // This machine's own, public ones too: what listens here trusts who comes from here.
    ownAddresses: Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).map(({ address }) => address.replace(/%.*/, '')),
    ),
  });
  return { addresses, allowsPlainHttp: config.webhookPlainHttp, ports: config.webhookPorts };
}

/** What webhooks need. */
export function createWebhookServices(
  { clock, random, log, state, instanceKey, recipes, resolve = createDnsResolve() }: CoordinatorDeps,
  config: CoordinatorConfig,
  metrics: Metrics,
  { keeper }: Pick<Cluster, 'keeper'>,
) {
  const receivers = toReceiverRules(config);
  const secrets = new WebhookSecrets(instanceKey.derive('webhooks'), { overlapMs: config.webhookSecretOverlapMs });
  const sender = new HttpSender(
    { clock, rules: receivers, resolve, loadRoots: () => loadRoots(null) },
    config.webhookTimeoutMs,
  );
  const known = { clock, random, log, secrets, shards: keeper, store: state.deliveries, executions: state.executions };
  const attempted: Metrics['attempted'] = (...attempt) => metrics.attempted(...attempt);
  const translate = translateDeliveries(config.compatibility, recipes ?? []);
  const deliveries = new Deliveries({ ...known, sender, attempted, translate, release: RELEASE }, config);
  return { receivers, deliveries, webhooks: new Webhooks({ ...known, deliveries }) };
}
