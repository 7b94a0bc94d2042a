/**
 * Owns putting together the rooms that speak other systems' protocols, those that the operator has served. Never decides anything.
 */
import { type CoordinatorConfig, toLimitMaxima } from '../config.ts';
import type { KeyedDeps, Services } from '../coordinator.ts';
import type { Authenticate } from '../http/authentication.ts';
import type { HttpServer } from '../http/server.ts';
import { addJobeRoom } from './jobe/jobe-room.ts';
import { addJudge0Room } from './judge0/judge0-room.ts';
import { RoomExecutions } from './room-executions.ts';

/** Adds the rooms. */
export function addRooms(
  server: HttpServer,
  deps: KeyedDeps,
  config: CoordinatorConfig,
  { authenticate, services }: { readonly authenticate: Authenticate; readonly services: Services },
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
