/**
 * Owns the requirement that comes before all others: settings that can work. Never reads them.
 */
import { judged, type Requirement } from './requirement.ts';

/** Every sentence about what is wrong with the settings. */
export interface ConfigurationSubject {
  readonly problems: readonly string[];
}

/** Without it nothing else of the agent can be looked at. */
export const configurationRequirement: Requirement<ConfigurationSubject> = {
  id: 'configuration',
  about: 'Every environment variable of the agent has a value that can work (docs/configuration.md).',
  needed: 'valid settings',
  severity: 'must',
  remedy: 'correct the variables that are named',
  look: ({ problems }) => judged(problems.length === 0, problems.length === 0 ? 'valid' : problems.join('; ')),
};
