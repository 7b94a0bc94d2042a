/**
 * Owns the record of what --fix changed, so that it can be put back: one file in a folder that nobody else may write, since whoever undoes, with
 * root's rights, obeys it. Never changes a setting.
 * Invariants: the record is whole at any moment; of a path it has what was there before our last change; a record of another boot is nobody's.
 */
import { lstat, mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { SystemError } from '../../shared/errors.ts';
import { Closed } from '../../shared/model/closed.ts';
import { writeWhole } from '../../shared/storage/whole-file.ts';
import type { Machine } from './machine.ts';

/** One setting that was changed, or is about to be. */
export const RecordedChange = Closed({
  requirement: Type.String(),
  /** Below these only: a record is never a way to write elsewhere. */
  path: Type.String({ pattern: '^/(proc/sys|proc/irq|sys)/(?!.*\\.\\.)[\\w./:-]+$' }),
  before: Type.String(),
  after: Type.String(),
});
export type RecordedChange = Static<typeof RecordedChange>;

const Recorded = Closed({ version: Type.Literal(1), boot: Type.String(), changes: Type.Array(RecordedChange) });

const FILE = 'contest-settings.json';

/** What is recorded on this machine. */
export class ContestRecord {
  readonly #path: string;
  readonly #boot: string;
  readonly #changes: Map<string, RecordedChange>;

  private constructor(path: string, boot: string, changes: readonly RecordedChange[]) {
    this.#path = path;
    this.#boot = boot;
    this.#changes = new Map(changes.map((change) => [change.path, change]));
  }

  /** Reads what is there; SystemError `requirement-missing` when the folder is not ours alone, or the record can't be read. */
  static async open(directory: string, machine: Machine): Promise<ContestRecord> {
    await checkFolder(directory);
    const path = join(directory, FILE);
    // What was set before this boot is gone with it.
    const boot = machine.read('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
    const recorded = await readRecord(path);
    return new ContestRecord(path, boot, recorded?.boot === boot ? recorded.changes : []);
  }

  /** In the order in which they were made. */
  get changes(): readonly RecordedChange[] {
    return [...this.#changes.values()];
  }

  /** Resolves when it would survive a crash. Of a path the last one counts: what somebody set between two of ours is what is put back. */
  async add(change: RecordedChange): Promise<void> {
    this.#changes.set(change.path, change);
    await this.#write();
  }

  /** Only these are left to be put back; without any the file goes. */
  async keepOnly(changes: readonly RecordedChange[]): Promise<void> {
    this.#changes.clear();
    for (const change of changes) this.#changes.set(change.path, change);
    if (changes.length > 0) await this.#write();
    else await rm(this.#path, { force: true });
  }

  async #write(): Promise<void> {
    await writeWhole(this.#path, `${JSON.stringify({ version: 1, boot: this.#boot, changes: this.changes })}\n`);
  }
}

async function checkFolder(directory: string): Promise<void> {
  const remedy =
    'run as root, or set contestDirectory (ENVICUTOR_AGENT_CONTEST_DIRECTORY) to a folder of this user alone';
  try {
    await makeFolder(resolve(directory));
    const folder = await lstat(directory);
    if (!folder.isDirectory()) throw new Error('it is no folder');
    if (folder.uid !== process.getuid?.() || (folder.mode & 0o022) !== 0) throw new Error('others may write it');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const detail = `the record of contest settings can't be kept in ${directory}: ${why}; ${remedy}`;
    throw new SystemError('requirement-missing', detail, { cause });
  }
}

/** Step by step: Node's recursive form never ends below a file system that refuses with ENOENT, such as /proc. Only the last is closed to others. */
async function makeFolder(path: string, mode = 0o700): Promise<void> {
  const isThere = await lstat(path).then(
    () => true,
    () => false,
  );
  if (isThere || path === dirname(path)) return;
  await makeFolder(dirname(path), 0o755);
  await mkdir(path, { mode });
}

async function readRecord(path: string): Promise<Static<typeof Recorded> | null> {
  try {
    const recorded: unknown = JSON.parse(await readFile(path, 'utf8'));
    return Value.Decode(Recorded, recorded);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    const detail = `the record ${path} is none of ours; put the settings back by hand, or start the machine again, and remove it`;
    throw new SystemError('requirement-missing', detail, { cause });
  }
}
