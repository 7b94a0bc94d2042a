/**
 * Owns the proof that TypeScript and C read the same contract: contract.ts is what contract.def generates.
 * Never checks what either side does with it (sandbox.test.ts).
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { contractUrl, generatedUrl, toContractSource } from '../../shared/sandbox/generate-contract.ts';

const definition = await readFile(contractUrl, 'utf8');

test('contract.ts is exactly what contract.def generates (else: make contract)', async () => {
  assert.equal(await readFile(generatedUrl, 'utf8'), toContractSource(definition));
});

test('a changed field of contract.def is noticed', async () => {
  const changed = definition.replace('FIELD(KILL, U64, launch)', 'FIELD(KILL, U32, launch)');
  assert.notEqual(await readFile(generatedUrl, 'utf8'), toContractSource(changed));
});

test('a line of an unknown form is an error that quotes it', () => {
  assert.throws(() => toContractSource(`${definition}\nFIELD(KILL, F32, weight)\n`), /'FIELD\(KILL, F32, weight\)'/);
});

test('a field of an unknown message is an error', () => {
  assert.throws(() => toContractSource('CONTRACT_VERSION(1)\nFIELD(NOBODY, U8, thing)\n'), /unknown message 'NOBODY'/);
});
