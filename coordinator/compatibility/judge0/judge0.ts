/**
 * Owns what the routes of the room that speaks Judge0's protocol share: what they talk to, their bounds, and who may do what the protocol keeps for
 * operators. Never adds a route.
 */
import type { FastifyRequest } from 'fastify';
import type { Clock } from '../../../shared/clock.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { AllLimits } from '../../../shared/model/limits.ts';
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import type { FleetAgent } from '../../agents/fleet.ts';
import type { ReceiverRules } from '../../deliveries/receiver-rules.ts';
import type { Authenticate } from '../../http/authentication.ts';
import { readHeader, readParameter } from '../room.ts';
import type { RoomExecutions } from '../room-executions.ts';
import type { Languages } from './judge0-languages.ts';
import type { NumberSetting, SettingName } from './judge0-settings.ts';

/** What the room talks to. */
export interface Judge0Deps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly executions: RoomExecutions;
  readonly recipes: readonly Recipe[];
  readonly receivers: ReceiverRules;
  readonly authenticate: Authenticate;
  readonly isEmbedded: boolean;
  readonly fleet: {
    all(): IterableIterator<Pick<FleetAgent, 'facts'>>;
    slots(): { readonly total: number; readonly free: number };
  };
  /** Executions that wait. */
  readonly waiting: () => number;
  /** What is stored for a tenant; bytes. */
  readonly storedBytes: (tenantId: string) => Promise<number>;
}

/** Bounds of the room. */
export interface Judge0Options {
  readonly limitMaxima: AllLimits;
  readonly bodyBytesMax: number;
  readonly queueDepthMax: number;
  readonly webhookTimeoutMs: number;
}

/** What its routes share. */
export interface Judge0 extends Judge0Deps {
  readonly options: Judge0Options;
  readonly languages: Languages;
  readonly settings: Readonly<Record<SettingName, NumberSetting>>;
}

/** The header of a tenant's key. */
export const KEY = 'x-auth-token';
const OPERATORS_KEY = 'x-auth-user';

/** A header, or the parameter of the same name, however it is capitalised. */
export function readKey(request: FastifyRequest, name: string): string | undefined {
  const named = Object.keys(request.query as object).find((parameter) => parameter.toLowerCase() === name);
  return readHeader(request, name) ?? (named === undefined ? undefined : readParameter(request, named));
}

/** May whoever asks do what the protocol keeps for operators? */
export async function isAuthorized({ isEmbedded, authenticate }: Judge0Deps, request: FastifyRequest) {
  if (isEmbedded) return request.tenant.isOperator;
  const key = readKey(request, OPERATORS_KEY);
  if (key === undefined) return false;
  try {
    const { tenant } = await authenticate({ authorization: `Bearer ${key}` });
    return tenant.isOperator;
  } catch {
    return false;
  }
}
