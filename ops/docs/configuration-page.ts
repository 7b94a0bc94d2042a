/**
 * Owns docs/configuration.md: every process's schema as a table of environment variables.
 * Never lists a field by hand.
 */
import type { TObject } from '@sinclair/typebox';
import { AgentConfig, CONFIG_PREFIX as agentPrefix } from '../../agent/config.ts';
import { BuilderConfig, CONFIG_PREFIX as builderPrefix } from '../../coordinator/builder/config.ts';
import { CoordinatorConfig, CONFIG_PREFIX as coordinatorPrefix } from '../../coordinator/config.ts';
import { VerifierConfig, CONFIG_PREFIX as verifierPrefix } from '../../coordinator/environments/verifier/config.ts';
import { variableName } from '../../shared/config.ts';
import { LocalConfig, prefix } from '../local/settings.ts';
import { describeSchema, notice, table } from './markdown.ts';

const sections: readonly { readonly title: string; readonly prefix: string; readonly schema: TObject }[] = [
  { title: 'make run', prefix, schema: LocalConfig },
  { title: 'coordinator', prefix: coordinatorPrefix, schema: CoordinatorConfig },
  { title: 'builder', prefix: builderPrefix, schema: BuilderConfig },
  { title: 'verifier', prefix: verifierPrefix, schema: VerifierConfig },
  { title: 'agent', prefix: agentPrefix, schema: AgentConfig },
];

/** The text of docs/configuration.md. */
export function toConfigurationPage(): string {
  return [
    notice("each process's config.ts"),
    '# Configuration',
    '',
    'Every process reads environment variables and nothing else. A value that is not valid ends the start: all problems are printed at once,',
    'each with its remedy, exit code 78. `--print-config` prints every value and where it came from; secrets are masked.',
    '`make run` hands each process the variables of its own prefix, except those of paths and ports, which it sets itself.',
    '',
    ...sections.flatMap((section) => [`## ${section.title}`, '', describe(section.schema, section.prefix), '']),
  ].join('\n');
}

function describe(schema: TObject, schemaPrefix: string): string {
  const rows = Object.entries(schema.properties).map(([field, fieldSchema]) => [
    `\`${variableName(schemaPrefix, field)}\``,
    describeSchema(fieldSchema),
    fieldSchema['default'] === undefined ? 'none' : `\`${JSON.stringify(fieldSchema['default'])}\``,
    `${fieldSchema.description ?? ''}${fieldSchema['secret'] === true ? ' (secret)' : ''}`,
  ]);
  return table(['variable', 'is', 'default', 'meaning'], rows);
}
