/**
 * Owns reading what a receipt says. Pure. Never checks its signature: whoever trusts a page that a coordinator serves trusts that coordinator.
 */
import type { AllLimits } from '../../../shared/model/limits.ts';

/** What is shown of a receipt. */
export interface ReadReceipt {
  readonly agent: string;
  /** Under which each script ran. */
  readonly limits: Readonly<Partial<Record<'compile' | 'run', AllLimits>>>;
  /** All of it, for people. */
  readonly text: string;
}

interface Statement {
  readonly agent?: unknown;
  readonly compile?: { readonly limits: AllLimits } | null;
  readonly run?: { readonly limits: AllLimits } | null;
}

/** Null: it is none. */
export function readReceipt(receipt: string): ReadReceipt | null {
  const [payload = ''] = receipt.split('.');
  try {
    const base64 = payload.replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const statement = JSON.parse(new TextDecoder().decode(bytes)) as Statement;
    const { compile, run } = statement;
    return {
      agent: String(statement.agent),
      limits: { ...(compile ? { compile: compile.limits } : {}), ...(run ? { run: run.limits } : {}) },
      text: JSON.stringify(statement, null, 2),
    };
  } catch {
    return null;
  }
}
