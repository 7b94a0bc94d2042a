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
import { addJobeRoom } from './jobe/jobe-room.ts';
import { addJudge0Room } from './judge0/judge0-room.ts';
import { ConnectGateway } from './piston/connect-gateway.ts';
import { addPistonRoom } from './piston/piston-room.ts';
import { RoomExecutions } from './room-executions.ts';

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
  addRooms(server, { deps, services, authenticate }, config);
  if (!isServed('piston')) return { piston: null };
  const terms = addPistonRoom(server, native, config);
  const passUpgrade: ConstructorParameters<typeof ConnectGateway>[0]['passOn'] = (request, socket, head, tenantId) =>
    forwarding.passUpgrade({ request, socket, head }, tenantId);
  return { piston: new ConnectGateway({ ...native, ...terms, passOn: passUpgrade }, config) };
}

/** Those whose requests are all HTTP. */
function addRooms(
  server: HttpServer,
  { deps, services, authenticate }: Pick<CompatibilityParts, 'deps' | 'services' | 'authenticate'>,
  config: CoordinatorConfig,
): void {
  const { clock, log, recipes = [], keys } = deps;
  const { compatibility, waitSecondsMax } = config;
  const limitMaxima = toLimitMaxima(config);
  const executions = new RoomExecutions({ clock, executions: services.executions, limitMaxima, waitSecondsMax });
  const known = { clock, log, executions, recipes };
  const options = { ...config, limitMaxima };
  if (compatibility.includes('judge0')) {
    const { receivers, fleet, admission, tenancy } = services;
    const storedBytes = (tenantId: string) => tenancy.storage.of(tenantId);
    const seen = { fleet, waiting: () => admission.waiting, storedBytes };
    addJudge0Room(server, { ...known, ...seen, receivers, authenticate, isEmbedded: keys === null }, options);
  }
  if (compatibility.includes('jobe')) addJobeRoom(server, known, options);
}
