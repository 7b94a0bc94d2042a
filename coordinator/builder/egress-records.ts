/**
 * Owns what the egress proxy told about one build: its records, and what follows from them.
 * Never keeps a secret in a URL or a sentence: what is kept goes into the provenance. Never trusts a line: one that is no record makes the materials incomplete, which is said, not hidden.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { EgressRecord } from '../../shared/model/egress.ts';
import type { Masking } from './build-log.ts';

const recordCheck = TypeCompiler.Compile(EgressRecord);
/** No line of the proxy is longer: a URL has at most 16 KiB. */
const LINE_BYTES_MAX = 1024 * 1024;

/** Collects the proxy's lines; `told` hears one sentence for each refusal and note. */
export class EgressRecords {
  readonly #told: (sentence: string) => void;
  readonly #masking: Masking | null;
  readonly #records: EgressRecord[] = [];
  #rest = Buffer.alloc(0);
  #damage: string | null = null;
  /** Has the proxy said anything? */
  #isServing = false;
  #isUnreachable = false;
  #isWithCredentials = false;
  #requests = 0;
  #bytes = 0;

  constructor(told: (sentence: string) => void, masking: Masking | null = null) {
    this.#told = told;
    this.#masking = masking;
  }

  /** Takes the next bytes of the proxy's output. */
  push(chunk: Uint8Array): void {
    let data = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    for (let end = data.indexOf(10); end !== -1; end = data.indexOf(10)) {
      this.#line(data.toString('utf8', 0, end));
      data = data.subarray(end + 1);
    }
    if (data.length > LINE_BYTES_MAX) this.#damage ??= 'a line of the proxy is too long';
    this.#rest = data.length > LINE_BYTES_MAX ? Buffer.alloc(0) : data;
  }

  get records(): readonly EgressRecord[] {
    return this.#records;
  }

  /** Did something that the build asked for fail because its host can't be reached now? */
  get isUnreachable(): boolean {
    return this.#isUnreachable;
  }

  /** Did a request carry credentials? */
  get isWithCredentials(): boolean {
    return this.#isWithCredentials;
  }

  /** What was asked and got so far, for whoever can't wait for the summary. */
  get fetched(): { readonly requests: number; readonly bytes: number } {
    return { requests: this.#requests, bytes: this.#bytes };
  }

  /** Did the proxy begin to answer? */
  get isServed(): boolean {
    return this.#isServing;
  }

  /** Why the records may not be all there are; null: they are. A proxy that ended before it served let nothing through. */
  get incompleteness(): string | null {
    if (this.#damage !== null) return this.#damage;
    if (this.#rest.length > 0) return "the proxy's last line is cut off";
    const isEnded = !this.#isServing || this.#records.at(-1)?.kind === 'summary';
    return isEnded ? null : 'the proxy ended without its summary';
  }

  #count(record: EgressRecord): void {
    if (record.kind === 'summary') {
      this.#requests = record.requests;
      this.#bytes = record.bytes;
    } else if (record.kind !== 'note') {
      this.#requests += 1;
      if (record.kind === 'artefact') this.#bytes += record.bytes;
    }
  }

  #line(line: string): void {
    const parsed = parse(line);
    const record = parsed === null || this.#masking === null ? parsed : toMasked(parsed, this.#masking);
    if (record === null) {
      this.#damage ??= `a line of the proxy is no record: ${line.slice(0, 200)}`;
      return;
    }
    this.#isServing = true;
    if (record.kind === 'note' && record.code === 'serving') return;
    this.#records.push(record);
    this.#count(record);
    if (record.kind === 'refusal') {
      this.#isUnreachable ||= record.code === 'upstream-unreachable';
      this.#told(`${record.url}: ${record.sentence}`);
    } else if (record.kind === 'note') {
      this.#told(record.sentence);
    } else if (record.kind === 'artefact') {
      this.#isWithCredentials ||= record.isWithCredentials;
    }
  }
}

function toMasked(record: EgressRecord, masking: Masking): EgressRecord {
  switch (record.kind) {
    case 'artefact':
      return {
        ...record,
        url: masking(record.url),
        location: record.location === null ? null : masking(record.location),
      };
    case 'refusal':
      return { ...record, url: masking(record.url), sentence: masking(record.sentence) };
    case 'note':
      return { ...record, sentence: masking(record.sentence) };
    case 'summary':
      return record;
  }
}

function parse(line: string): EgressRecord | null {
  try {
    const value: unknown = JSON.parse(line);
    return recordCheck.Check(value) ? value : null;
  } catch {
    return null;
  }
}
