/**
 * Owns the comparison of what a staged file was found to be with what builder and coordinator say about it.
 * Never reads a file. Every difference is a Refusal with a reason of its own, so that a log names who lied about what.
 */
import type { PublicationOrder, StagedLayer } from '../../../shared/model/build.ts';
import { Refusal } from './refusal.ts';
import type { LayerContent } from './staged-file.ts';
import { VARIABLES_PATH } from './tar-check.ts';

/** The capture rules whose layers are accepted: the present ones alone, since they are part of the key that the coordinator made. */
const RULES_ACCEPTED: readonly number[] = [2];

/** Throws Refusal at the first difference. */
export function checkAgainstOrder(content: LayerContent, order: PublicationOrder): void {
  checkAgainstStaged(content, order.staged);
  const { kind, capture } = order.spec;
  const isBase = kind === 'base';
  if (isBase !== (order.parents.length === 0)) {
    throw new Refusal('parents', `a ${kind} layer has ${order.parents.length} parents`);
  }
  if (capture !== order.staged.tar.rules) {
    throw new Refusal(
      'tar-rules',
      `capture rules ${capture} were asked for, the builder had ${order.staged.tar.rules}`,
    );
  }
}

/** Throws Refusal at the first difference between a layer and what its builder said about it. */
export function checkAgainstStaged(content: LayerContent, { blob, tar, variables }: StagedLayer): void {
  if (content.blob.bytes !== blob.bytes) {
    throw new Refusal('blob-size', `the blob has ${content.blob.bytes} bytes, not ${blob.bytes}`);
  }
  if (content.blob.digest !== blob.digest) {
    throw new Refusal('blob-digest', `the blob is ${content.blob.digest}, not ${blob.digest}`);
  }
  if (content.tar.bytes !== tar.bytes) {
    throw new Refusal('tar-size', `the tar has ${content.tar.bytes} bytes, not ${tar.bytes}`);
  }
  if (content.tar.digest !== tar.digest) {
    throw new Refusal('tar-digest', `the tar is ${content.tar.digest}, not ${tar.digest}`);
  }
  if (content.tar.entries !== tar.entries) {
    throw new Refusal('tar-entries', `the tar has ${content.tar.entries} entries, not ${tar.entries}`);
  }
  if (!RULES_ACCEPTED.includes(tar.rules)) {
    throw new Refusal('tar-rules', `capture rules ${tar.rules} are not accepted, only ${RULES_ACCEPTED}`);
  }
  checkVariables(variables, content.variablesFile);
}

/** Each variable must stand as a line in the layer's own file: none is invented on the way. */
function checkVariables(variables: Readonly<Record<string, string>>, file: Buffer | null): void {
  const lines = new Set(file === null ? [] : file.toString('latin1').split('\n'));
  for (const [name, value] of Object.entries(variables)) {
    if (!lines.has(Buffer.from(`${name}=${value}`).toString('latin1'))) {
      throw new Refusal('variables', `variable ${name} does not stand in /${VARIABLES_PATH} like that`);
    }
  }
}
