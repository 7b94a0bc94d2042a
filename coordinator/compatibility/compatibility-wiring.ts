/**
 * Owns the wiring of the rooms that speak other systems' protocols: which are served, and what each is given. Never listens, and knows no protocol.
 */
import { noTracer } from '../../shared/tracing/tracer.ts';
import { type CoordinatorConfig, toLimitMaxima } from '../config.ts';
import type { KeyedDeps, Services } from '../coordinator.ts';
import type { Authenticate } from '../http/authentication.ts';
import type { Forwarding } from '../http/forwarding.ts';
import type { HttpServer } from '../http/server.ts';
import type { CompatibleProtocol } from './compatibility-settings.ts';
import { ConnectGateway } from './piston/connect-gateway.ts';
import { addPistonRoom } from './piston/piston-room.ts';

/** What the rooms are made of. */
export interface CompatibilityParts {
  readonly deps: KeyedDeps;
  readonly services: Services;
  readonly forwarding: Forwarding;
  readonly authenticate: Authenticate;
}

/** Adds the rooms that are served; who takes the upgrades of Piston's, null: it is not. */
export function addCompatibleProtocols(
  server: HttpServer,
  { deps, services, forwarding, authenticate }: CompatibilityParts,
  config: CoordinatorConfig,
): { piston: ConnectGateway | null } {
  const isServed = (protocol: CompatibleProtocol) => config.compatibility.includes(protocol);
  const { clock, log, tracer = noTracer, recipes = [] } = deps;
  const { executions, environments, tenancy } = services;
  const native = {
    ...{ clock, log, tracer, recipes, executions, environments, storage: tenancy.storage, authenticate },
    ...{ limitMaxima: toLimitMaxima(config), waitMsMax: config.waitSecondsMax * 1000 },
    passOn: (...asked: Parameters<Forwarding['passOn']>) => forwarding.passOn(...asked),
    passAnew: (...asked: Parameters<Forwarding['passAnew']>) => forwarding.passAnew(...asked),
  };
  if (!isServed('piston')) return { piston: null };
  const terms = addPistonRoom(server, native, config);
  const passUpgrade: ConstructorParameters<typeof ConnectGateway>[0]['passOn'] = (request, socket, head, tenantId) =>
    forwarding.passUpgrade({ request, socket, head }, tenantId);
  return { piston: new ConnectGateway({ ...native, ...terms, passOn: passUpgrade }, config) };
}
