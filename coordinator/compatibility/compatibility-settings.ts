/**
 * Owns the settings of the rooms that speak other systems' protocols: which of them are served, and what each can be set to. Never serves one.
 */
import { Type } from '@sinclair/typebox';
import { OneOf } from '../../shared/model/closed.ts';
import { pistonSettings } from './piston/piston-settings.ts';

/** The protocols that we also speak. */
export const compatibleProtocols = ['piston', 'judge0', 'jobe'] as const;
export type CompatibleProtocol = (typeof compatibleProtocols)[number];

/** Part of the coordinator's configuration. */
export const compatibilitySettings = {
  compatibility: Type.Array(OneOf(compatibleProtocols), {
    default: [...compatibleProtocols],
    description:
      'Whose protocols are served beside the own one, so that their clients need another URL only: piston, judge0, jobe; empty: none. Comma separated.',
  }),
  ...pistonSettings,
};
