/**
 * Owns reading the operator's policy file of the build network, and every sentence about what is wrong with one.
 * Never falls back: a file that can't be read or understood in one place is no policy at all.
 * Invariant: all problems of a file are told at once, each with its remedy.
 */
import { readFileSync } from 'node:fs';
import { Value, type ValueError } from '@sinclair/typebox/value';
import { EgressPolicyFile, type EgressRules, toEgressRules } from '../../shared/model/egress.ts';
import { toRange } from './address-policy.ts';
import { toHostName } from './admission.ts';
import { toPathExpression } from './immutable-paths.ts';

/** Rules that can be used, or all that is wrong with them. */
export type ReadPolicy = { readonly rules: EgressRules } | { readonly problems: readonly string[] };

/** Reads the file at `path`; an empty path is the default policy, any public host. */
export function readEgressPolicy(path: string): ReadPolicy {
  if (path === '') return { rules: toEgressRules({ name: 'any-public-host' }) };
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { problems: [`egressPolicyFile ${path} can't be read as JSON: ${said}; correct it, or its path`] };
  }
  const problems = findPolicyProblems(content).map((problem) => `egressPolicyFile ${path}: ${problem}`);
  return problems.length > 0 ? { problems } : { rules: toEgressRules(content as EgressPolicyFile) };
}

/** What is wrong with the content of a policy file; empty when it can be used. */
export function findPolicyProblems(content: unknown): string[] {
  const wrong = new Map<string, string>();
  for (const error of Value.Errors(EgressPolicyFile, content)) {
    if (!wrong.has(error.path)) wrong.set(error.path, toSentence(error));
  }
  return wrong.size > 0 ? [...wrong.values()] : findContradictions(content as EgressPolicyFile);
}

function toSentence({ path, message, schema, value }: ValueError): string {
  const where = path === '' ? 'the file' : path;
  const said = value === undefined ? '' : ` (${JSON.stringify(value)?.slice(0, 80)})`;
  const isUnknown = schema['not'] !== undefined && message.startsWith('Unexpected');
  const known = Object.keys(EgressPolicyFile.properties).join(', ');
  if (isUnknown || message.startsWith('Unexpected property')) return `${where} is not known; the fields are ${known}`;
  return `${where}${said}: ${message}. ${schema.description ?? 'See docs/build-network.md.'}`;
}

/** What no schema can see. */
function findContradictions(file: EgressPolicyFile): string[] {
  const problems: string[] = [];
  for (const field of ['allowedPrivateRanges', 'deniedRanges'] as const) {
    for (const range of file[field] ?? []) {
      if (toRange(range) === null)
        problems.push(`/${field}: "${range}" is no address or range; write 10.0.0.0/8 or fd00::/8`);
    }
  }
  const seen = new Set<string>();
  for (const { host, url } of file.mirrors ?? []) {
    if (seen.has(host)) problems.push(`/mirrors: ${host} has two mirrors; keep one`);
    seen.add(host);
    const name = URL.canParse(url) ? new URL(url).hostname : '';
    if (toHostName(name) === null)
      problems.push(`/mirrors: ${url} has no host name; addresses can't be dialled by number`);
  }
  for (const { pattern } of file.immutablePaths ?? []) {
    if (toPathExpression(pattern) === null)
      problems.push(`/immutablePaths: "${pattern}" is no regular expression; correct it`);
  }
  return problems;
}
