/**
 * Owns which commands the documents show, and where each is run: a block marked `sh` is one that a reader types, and a block marked `text` behind it is
 * what it prints, where `…` stands for anything. Never runs one.
 * Invariant: a command is run by a test, or the table says why it can't be.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandsOf } from './page-examples.ts';

const root = join(import.meta.dirname, '../..');

/** A block of commands. */
export interface CommandBlock {
  /** Relative to the root. */
  readonly page: string;
  /** The how manieth of its page, from 1. */
  readonly index: number;
  readonly source: string;
  /** What it prints, if the page shows that. */
  readonly output: string | null;
}

/** Where a block is run. */
export type Whereabouts = 'instance' | { readonly test: string } | { readonly unrun: string };

const instance = 'instance';
const by = (test: string): Whereabouts => ({ test });
const unrun = (reason: string): Whereabouts => ({ unrun: reason });
const engine = unrun(
  'needs a container engine; test/integration/compose.test.ts holds the file against its schema and our own checks',
);

/** Each page with commands, and where each of its blocks is run, in the page's order. */
export const whereabouts: Readonly<Record<string, readonly Whereabouts[]>> = {
  'README.md': [
    by('test/end-to-end/background-instance.test.ts'),
    instance,
    unrun('the same program with other words is run from docs/sandbox.md'),
  ],
  'CONTRIBUTING.md': [
    unrun('is what runs the tests'),
    unrun('starts a guest for each; the folder test/guest starts them in the same way'),
  ],
  'ops/RUNBOOK.md': [instance, by('test/integration/backup-restore.test.ts')],
  'docs/backup.md': [by('test/integration/backup-restore.test.ts')],
  'docs/batch.md': [instance],
  'docs/capacity-planning.md': [
    unrun('measures for minutes; test/integration/planner-commands.test.ts asks the same of recorded figures'),
  ],
  'docs/cli.md': [
    by('test/end-to-end/background-instance.test.ts'),
    // Forms of each command, with a reader's own files.
    ...Array.from({ length: 11 }, () => by('test/integration/cli.test.ts')),
  ],
  'docs/comparison.md': [instance, instance, instance],
  'docs/containers.md': [engine],
  'docs/edge.md': [unrun('sets two variables; test/integration/edge.test.ts serves by them')],
  'docs/embedding.md': [by('test/integration/package.test.ts')],
  'docs/files.md': [instance],
  'docs/http-api.md': Array.from({ length: 8 }, () => by('test/integration/http-examples.test.ts')),
  'docs/judging.md': [instance],
  'docs/migrating-from-jobe.md': [instance],
  'docs/migrating-from-judge0.md': [instance],
  'docs/object-store.md': [engine],
  'docs/observability.md': [instance],
  'docs/python.md': [by('test/integration/python-client.test.ts')],
  'docs/receipts.md': [instance],
  'docs/recipes.md': [instance],
  'docs/releases.md': [by('test/integration/release.test.ts')],
  'docs/rootless.md': [unrun('needs a session of systemd; test/guest/rootless.test.ts does the same in a guest')],
  'docs/sandbox.md': Array.from({ length: 4 }, () => by('test/integration/package.test.ts')),
  'docs/tutorial-a-language-nobody-has.md': Array.from({ length: 10 }, () =>
    by('test/integration/recipe-tutorial.test.ts'),
  ),
  'docs/webhooks.md': [unrun('starts an instance that may call this machine; test/integration/webhooks.test.ts does')],
};

/** Every block of every page, in order. */
export function readCommandBlocks(): CommandBlock[] {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    ...globSync('{docs,ops}/**/*.md', { cwd: root }).sort(),
  ];
  return pages.flatMap((page) =>
    commandsOf(readFileSync(join(root, page), 'utf8')).map(({ script, output }, index) => ({
      ...{ page, index: index + 1, source: script, output },
    })),
  );
}

/** Those that an instance is asked by. */
export function blocksForInstance(): CommandBlock[] {
  return readCommandBlocks().filter(({ page, index }) => whereabouts[page]?.[index - 1] === instance);
}

/** Is this what the page shows? `…` in it stands for anything on its line. */
export function isShown(shown: string, printed: string): boolean {
  const pattern = shown
    .trimEnd()
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${pattern}$`).test(printed.trimEnd());
}
