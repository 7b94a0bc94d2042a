/**
 * Owns the list of all that contest mode looks at: settings of the kernel and observations. Never looks itself.
 */
import { contestObservations } from './contest-observations.ts';
import { contestSettings } from './contest-settings.ts';
import type { ContestRequirement } from './requirement.ts';

/** In the order in which they are told. */
export const contestRequirements: readonly ContestRequirement[] = [...contestSettings, ...contestObservations];
