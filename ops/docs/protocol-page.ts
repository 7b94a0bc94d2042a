/**
 * Owns docs/protocol.md: both catalogs of messages between agent and coordinator, and the close codes.
 * Never repeats the prose of the catalogs; it links them.
 */
import { agentMessages } from '../../shared/protocol/agent-messages.ts';
import type { Catalog } from '../../shared/protocol/catalog.ts';
import { coordinatorMessages } from '../../shared/protocol/coordinator-messages.ts';
import { acceptedVersions, closeCodes, MESSAGE_BYTES_MAX, PROTOCOL_VERSION } from '../../shared/protocol/version.ts';
import { describeSchema, notice, table } from './markdown.ts';

/** The text of docs/protocol.md. */
export function toProtocolPage(): string {
  return [
    notice('shared/protocol/'),
    '# Protocol between agent and coordinator',
    '',
    `Version ${PROTOCOL_VERSION}; a coordinator accepts ${acceptedVersions.join(', ')}. WebSocket on \`/agents\`; a message is one text message of it, JSON`,
    `\`{ "type": …, fields }\`, at most ${MESSAGE_BYTES_MAX} bytes. Unknown messages and fields are refused.`,
    'A side that understands `message.pieces` may be told a long message in pieces of its text: binary messages, completed by the text message that follows them. Who says what when, and what if it is lost:',
    'the heads of [agent-messages](../shared/protocol/agent-messages.ts) and [coordinator-messages](../shared/protocol/coordinator-messages.ts).',
    '',
    '## What an agent says',
    '',
    describeCatalog(agentMessages),
    '',
    '## What a coordinator says',
    '',
    describeCatalog(coordinatorMessages),
    '',
    '## Close codes',
    '',
    table(
      ['code', 'name'],
      Object.entries(closeCodes).map(([name, code]) => [String(code), name]),
    ),
    '',
  ].join('\n');
}

function describeCatalog(catalog: Catalog): string {
  const rows = Object.entries(catalog).flatMap(([name, schema]) =>
    Object.entries(schema.properties).map(([field, fieldSchema], index) => [
      index === 0 ? `\`${name}\`` : '',
      `\`${field}\``,
      describeSchema(fieldSchema),
      fieldSchema.description ?? '',
    ]),
  );
  return table(['message', 'field', 'is', 'meaning'], rows);
}
