/**
 * Owns the form of Piston's protocol that all of its routes share: where they are, how errors look, how a key comes. Never knows what a route does.
 */

import type { FastifyRequest } from 'fastify';
import type { Problem } from '../../../shared/http/problem.ts';
import { rawKeyOf } from '../any-content.ts';

/** Self-hosted, and as the public instance has it. */
const prefixes = ['/api/v2', '/api/v2/piston'] as const;

/** An error in Piston's form; one of ours has no body there. */
function toRefusal({ code, detail }: Problem): { type: string; body: string } {
  return {
    type: 'application/json; charset=utf-8',
    body: code === 'internal' ? '' : JSON.stringify({ message: detail }),
  };
}

/** What every route of the room has: its form of errors, its form of keys. */
export const roomConfig = { refusal: toRefusal, keyOf: ({ headers }: FastifyRequest) => rawKeyOf(headers) } as const;

/** Adds a route under all of the room's paths, with a slash behind them or without. */
export function placesOf(path: string): string[] {
  return prefixes.flatMap((prefix) => [`${prefix}${path}`, `${prefix}${path}/`]);
}
