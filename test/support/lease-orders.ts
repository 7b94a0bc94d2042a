/**
 * Owns the orders that tests give: a valid one, with what a test changes.
 */
import { limitDefaults } from '../../shared/model/limits.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { specOf } from './layer-specs.ts';

/** An order for a program on one layer that nobody has. */
export function makeOrder(changes: Partial<LeaseOrderMessage> = {}): LeaseOrderMessage {
  const envelope = { payloadType: 'x', payload: '', signatures: [{ keyid: 'k', sig: 's' }] };
  const run = { script: './main', arguments: ['a'], stdin: '', stdinEncoding: 'utf8' as const, variables: {} };
  return {
    executionId: 'exec_00000000',
    tenantId: 'local',
    layers: [{ spec: specOf('any'), envelope, url: 'http://store/1', origin: 'stored' }],
    files: [{ path: 'main.c', content: 'AP8=', encoding: 'base64', executable: true }],
    compile: null,
    run: { ...run, limits: limitDefaults.run },
    isOutputStreamed: false,
    ...changes,
  };
}
