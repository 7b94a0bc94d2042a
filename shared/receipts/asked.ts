/**
 * Owns the text whose digest says what an agent was asked to run: `request` of a receipt. Pure, and imports no package and nothing of Node:
 * agent, coordinator and the client library make the same text, each digests it in its own way.
 *
 * In it is what the scripts see and their client gave: scripts, arguments, variables (the environment's, over them the script's own), and digests of
 * standard input and of each file, over bytes, so that an encoding makes no difference. Not in it: layers and limits, which the receipt states in
 * clear, and what no agent is told (placement, metadata, names).
 * Invariant: a member that a later version adds is absent where it is not used, so that today's requests keep their digest for ever.
 */
import { type Canonical, canonicalJson } from '../canonical-json.ts';
import { type AskedFile, type AskedTests, toAskedTests } from './judged.ts';

type Variables = Readonly<Record<string, string>>;

/** What was asked for, with digests (`sha256:…`) of what may be large. */
export interface Asked {
  /** In the order in which they were given. */
  readonly files: readonly AskedFile[];
  readonly compile: { readonly script: string; readonly variables: Variables } | null;
  readonly run: {
    readonly script: string;
    readonly arguments: readonly string[];
    readonly stdin: string;
    readonly variables: Variables;
  };
  /** Absent: there are none. */
  readonly tests?: AskedTests | undefined;
}

/** The canonical text. */
export function toAskedText({ files, compile, run, tests }: Asked): string {
  const asked: Canonical = {
    version: 1,
    files: files.map(({ path, content, executable }) => ({ path, content, executable })),
    compile: compile === null ? null : { script: compile.script, variables: compile.variables },
    run: { script: run.script, arguments: run.arguments, stdin: run.stdin, variables: run.variables },
    ...(tests === undefined ? {} : { tests: toAskedTests(tests) }),
  };
  return canonicalJson(asked);
}
