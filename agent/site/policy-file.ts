/**
 * Owns the file with which an agent's owner says who may use it: reading it at the start, again when it has changed, and every sentence about what
 * is wrong with one. Never decides about an order (order-objection).
 * Invariant: what holds is the last file that could be understood; the agent does not start without one when it is to have one.
 */
import { readFileSync, statSync } from 'node:fs';
import { Value, type ValueError } from '@sinclair/typebox/value';
import { toConfigError } from '../../shared/config.ts';
import type { Logger } from '../../shared/logger.ts';
import { SitePolicy } from '../../shared/model/site-policy.ts';

/** What holds at an agent; `policy` null: whatever its coordinator offers. */
export interface PolicySource {
  readonly policy: SitePolicy | null;
  /** Looks whether the file has changed. */
  refresh(): void;
}

/** Nobody has said anything. */
export const noPolicy: PolicySource = { policy: null, refresh: () => undefined };

/** Opens the file at `path`, '' for none; SystemError `configuration-invalid` with all that is wrong with it. */
export function openPolicyFile(path: string, logger: Logger): PolicySource {
  return path === '' ? noPolicy : new PolicyFile(path, logger);
}

class PolicyFile implements PolicySource {
  readonly #path: string;
  readonly #logger: Logger;
  #policy: SitePolicy;
  #mark: string;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    this.#mark = markOf(path);
    const read = readPolicy(path);
    if ('problems' in read) throw toConfigError(read.problems.map((detail) => ({ pointer: '/policyFile', detail })));
    this.#policy = read.policy;
  }

  get policy(): SitePolicy {
    return this.#policy;
  }

  refresh(): void {
    const mark = markOf(this.#path);
    if (mark === this.#mark) return;
    this.#mark = mark;
    const read = readPolicy(this.#path);
    if ('problems' in read) {
      this.#logger.error({ problems: read.problems }, 'policy not taken over: the former one holds');
      return;
    }
    this.#policy = read.policy;
    this.#logger.info({ owner: read.policy.owner, tenants: read.policy.tenants.length }, 'policy taken over');
  }
}

/** A text that changes with the file; '' while it is not there. */
function markOf(path: string): string {
  const { ino, size, mtimeNs } = statSync(path, { bigint: true, throwIfNoEntry: false }) ?? {};
  return ino === undefined ? '' : `${ino} ${size} ${mtimeNs}`;
}

function readPolicy(path: string): { readonly policy: SitePolicy } | { readonly problems: readonly string[] } {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { problems: [`policyFile ${path} can't be read as JSON: ${said}; correct it, or its path`] };
  }
  const wrong = new Map<string, string>();
  for (const error of Value.Errors(SitePolicy, content)) {
    if (!wrong.has(error.path)) wrong.set(error.path, `policyFile ${path}: ${toSentence(error)}`);
  }
  return wrong.size > 0 ? { problems: [...wrong.values()] } : { policy: content as SitePolicy };
}

function toSentence({ path, message, schema, value }: ValueError): string {
  const where = path === '' ? 'the file' : path;
  if (message.startsWith('Unexpected property')) return `${where} is not known; see docs/federation.md for the fields`;
  const said = value === undefined ? '' : ` (${JSON.stringify(value)?.slice(0, 80)})`;
  return `${where}${said}: ${message}. ${schema.description ?? 'See docs/federation.md.'}`;
}
