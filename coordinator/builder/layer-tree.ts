/**
 * Owns the entries of a layer being captured: normalises names, applies the capture rules, resolves hard links, sorts.
 * Never holds a body (body-spool does) and never lets a device, setuid or setgid bit, file capability or odd name through.
 * Invariants of `sorted`: strictly ascending by the bytes of the stored name; every entry's parent is a directory of the layer;
 * a hard link comes after the file that it names.
 */
import { SystemError } from '../../shared/errors.ts';
import type { BodySpool, SpooledBody } from './body-spool.ts';
import { rewritten } from './capture-rewrites.ts';
import { isDropped, isFreshSecret } from './capture-rules.ts';
import { checkedLink, toLayerPath } from './layer-path.ts';
import type { RawEntry } from './tar-header.ts';
import type { TarListener } from './tar-reader.ts';
import type { TraceSearch } from './trace-search.ts';

/** Name of the attribute by which a directory hides what is below it in lower layers. */
export const OPAQUE_ATTRIBUTE = 'user.overlay.opaque';
const CAPABILITY_ATTRIBUTE = 'security.capability';
/** Ids of a build's user namespace. */
const ID_MAX = 65_535;
/** What every launch upon a layer puts its own files into; anything else in these places would make that fail. */
const reserved: ReadonlyMap<string, 'directory' | 'file'> = new Map([
  ['environment', 'directory'],
  ['environment/.envicutor', 'directory'],
  ['environment/.envicutor/variables', 'file'],
  ['environment/.envicutor/private', 'file'],
]);
/** How many names a note keeps. */
const NAMES_MAX = 50;

/** One entry of a layer; `path` and `linkPath` are byte strings without a trailing slash. */
export interface LayerEntry {
  readonly path: string;
  readonly kind: 'file' | 'hardlink' | 'symlink' | 'directory' | 'whiteout';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly linkPath: string;
  readonly body: SpooledBody | null;
  readonly isOpaque: boolean;
}

/** What was taken off or left out: what it was, and the first names. */
export type CaptureNotes = ReadonlyMap<
  'setuid or setgid' | 'file capability' | 'device' | 'fifo' | 'fresh secret',
  readonly string[]
>;

/** Bounds of one layer. */
export interface LayerBounds {
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** Of all names and link targets together: whoever reads a layer keeps them in memory. */
  readonly namesBytesMax: number;
}

/** Collects the entries of one raw tar; SystemError `layer-refused` names what can't be captured. */
export class LayerTree implements TarListener {
  readonly #spool: BodySpool;
  readonly #search: TraceSearch;
  readonly #bounds: LayerBounds;
  /** By path, with those that the rules drop: a hard link may name them. */
  readonly #entries = new Map<string, { entry: LayerEntry; isKept: boolean }>();
  readonly #notes = new Map<string, string[]>();
  /** Names of what was left out, for hard links to it. */
  readonly #skipped = new Set<string>();
  readonly #traced = new Set<SpooledBody>();
  #current: SpooledBody | null = null;
  #bytes = 0;
  #namesBytes = 0;

  constructor(spool: BodySpool, search: TraceSearch, bounds: LayerBounds) {
    this.#spool = spool;
    this.#search = search;
    this.#bounds = bounds;
  }

  get notes(): CaptureNotes {
    return this.#notes as CaptureNotes;
  }

  entry(raw: RawEntry): void {
    const path = toLayerPath(raw.path);
    const body = raw.type === 'file' ? this.#spool.begin(raw.size) : null;
    this.#current = body;
    this.#search.begin();
    this.#bytes += raw.size;
    this.#namesBytes += raw.path.length + raw.linkPath.length;
    if (path === '') return;
    if (this.#namesBytes > this.#bounds.namesBytesMax) {
      const what = `its names and link targets have more than ${this.#bounds.namesBytesMax} bytes together`;
      throw refused(`${what}; leave fewer files behind, or shorter paths`);
    }
    if (this.#bytes > this.#bounds.bytesMax) {
      throw refused(
        `it holds more than ${this.#bounds.bytesMax} bytes; leave less behind, or remove caches in the script`,
      );
    }
    if (this.#entries.has(path) || this.#skipped.has(path)) throw refused(`${show(path)} is in it twice`);
    this.#checkRoom();
    const entry = this.#toLayerEntry(raw, path, body);
    if (entry === null) {
      this.#skipped.add(path);
      return;
    }
    const isDirectory = entry.kind === 'directory';
    const isEmptyFile = entry.kind === 'file' && entry.body?.size === 0;
    if (isFreshSecret(path) && entry.kind === 'file') this.#add('fresh secret', path);
    this.#entries.set(path, { entry, isKept: !isDropped({ path, isDirectory, isEmptyFile }) });
  }

  body(chunk: Buffer): void {
    this.#spool.append(chunk);
    if (this.#search.isFoundIn(chunk) && this.#current !== null) this.#traced.add(this.#current);
  }

  /** Puts a file of ours into the layer, with its directories, in place of what a script left there. */
  put(path: string, content: Uint8Array): void {
    const own = { path, mode: 0o644, uid: 0, gid: 0, linkPath: '', isOpaque: false };
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const directory = path.slice(0, slash);
      const found = this.#entries.get(directory)?.entry.kind;
      if (found !== undefined && found !== 'whiteout') continue;
      // What was removed from the layers below stays hidden.
      const entry = { ...own, path: directory, kind: 'directory', mode: 0o755, body: null } as const;
      this.#own({ ...entry, isOpaque: found === 'whiteout' });
    }
    this.#own({ ...own, kind: 'file', body: this.#spool.add(content) });
  }

  #own(entry: LayerEntry): void {
    if (!this.#entries.has(entry.path)) this.#checkRoom();
    this.#entries.set(entry.path, { entry, isKept: true });
  }

  #checkRoom(): void {
    if (this.#entries.size < this.#bounds.entriesMax) return;
    throw refused(`it holds more than ${this.#bounds.entriesMax} files; leave fewer behind`);
  }

  /** The layer's entries in canonical order; throws when a kept one holds a trace of the build's authority. */
  sorted(): readonly LayerEntry[] {
    const kept = [...this.#entries.values()].filter(({ isKept }) => isKept).map(({ entry }) => entry);
    const named = kept.map((entry) => ({ entry, name: storedName(entry) }));
    named.sort((a, b) => (a.name < b.name ? -1 : 1));
    const firsts = new Map<SpooledBody, LayerEntry>();
    return named.map(({ entry }) => {
      this.#checkParent(entry);
      checkReserved(entry);
      if (entry.body === null) return entry;
      if (this.#traced.has(entry.body)) {
        throw refused(
          `${show(entry.path)} holds the certificate of the build's own network; a script must not keep it`,
        );
      }
      const first = firsts.get(entry.body);
      if (first !== undefined)
        return { ...first, path: entry.path, kind: 'hardlink', linkPath: first.path, body: null };
      const kept = this.#rewritten(entry, entry.body);
      firsts.set(entry.body, kept);
      return kept;
    });
  }

  #rewritten(entry: LayerEntry, body: SpooledBody): LayerEntry {
    const content = rewritten(entry.path, body.size, () => this.#spool.readWhole(body));
    return content === null ? entry : { ...entry, body: this.#spool.add(content) };
  }

  #checkParent(entry: LayerEntry): void {
    const slash = entry.path.lastIndexOf('/');
    if (slash === -1) return;
    const parent = this.#entries.get(entry.path.slice(0, slash));
    if (parent === undefined || !parent.isKept || parent.entry.kind !== 'directory') {
      throw refused(`${show(entry.path)} is in no directory of it`);
    }
  }

  #toLayerEntry(raw: RawEntry, path: string, body: SpooledBody | null): LayerEntry | null {
    if (raw.uid > ID_MAX || raw.gid > ID_MAX)
      throw refused(`${show(path)} belongs to ${raw.uid}:${raw.gid}, above ${ID_MAX}`);
    const common = {
      path,
      mode: raw.mode & 0o1777,
      uid: raw.uid,
      gid: raw.gid,
      linkPath: '',
      body: null,
      isOpaque: false,
    };
    if ((raw.mode & 0o6000) !== 0 && raw.type !== 'hardlink') this.#note('setuid or setgid', path);
    if (raw.attributes.has(CAPABILITY_ATTRIBUTE)) this.#note('file capability', path);
    switch (raw.type) {
      case 'file':
        return { ...common, kind: 'file', body };
      case 'directory':
        return { ...common, kind: 'directory', isOpaque: raw.attributes.get(OPAQUE_ATTRIBUTE) === 'y' };
      case 'symlink':
        return { ...common, kind: 'symlink', mode: 0o777, linkPath: checkedLink(raw.linkPath, path) };
      case 'hardlink':
        return this.#sameAs(toLayerPath(raw.linkPath), path);
      case 'character':
        // Overlay's whiteout: the only device of a layer.
        if (raw.deviceMajor === 0 && raw.deviceMinor === 0)
          return { ...common, kind: 'whiteout', mode: 0, uid: 0, gid: 0 };
        this.#note('device', path);
        return null;
      case 'block':
        this.#note('device', path);
        return null;
      case 'fifo':
        this.#note('fifo', path);
        return null;
    }
  }

  /** A hard link is its target under another name; only files stay linked (overlay links whiteouts with each other). */
  #sameAs(target: string, path: string): LayerEntry | null {
    const found = this.#entries.get(target);
    if (found !== undefined) return { ...found.entry, path };
    if (this.#skipped.has(target)) return null;
    throw refused(`${show(path)} is a hard link to ${show(target)}, which is not in it`);
  }

  #note(what: string, path: string): void {
    if (!isDropped({ path, isDirectory: false, isEmptyFile: false })) this.#add(what, path);
  }

  #add(what: string, path: string): void {
    const names = this.#notes.get(what) ?? [];
    if (names.length < NAMES_MAX) names.push(path);
    this.#notes.set(what, names);
  }
}

/** A whiteout is good too: what is missing is made again. */
function checkReserved({ path, kind }: LayerEntry): void {
  const wanted = reserved.get(path);
  if (wanted === undefined || kind === wanted || kind === 'whiteout') return;
  if (wanted === 'file' && kind === 'hardlink') return;
  throw refused(`${show(path)} is a ${kind}; the system keeps its ${wanted} there`);
}

/** The name under which an entry stands in the canonical tar: directories end with a slash. */
export function storedName(entry: LayerEntry): string {
  return entry.kind === 'directory' ? `${entry.path}/` : entry.path;
}

/** Says why what a build left behind can't become a layer. */
export function refused(detail: string): SystemError {
  return new SystemError('layer-refused', `what the build left behind can't become a layer: ${detail}`);
}

const show = (path: string): string => JSON.stringify(Buffer.from(`/${path}`, 'latin1').toString('utf8'));
