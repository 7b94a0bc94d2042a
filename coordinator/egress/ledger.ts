/**
 * Owns one build's amounts and records: counts against the quotas, writes each record as one line, ends with the summary.
 * Never holds back an artefact, but admits no request when records have become too many bytes; refusals and notes above `complaintsMax` are counted only, so that a build can't flood its log.
 * Invariant: nothing is written after the summary.
 */
import type { EgressQuotas, EgressRecord, RefusalCode } from '../../shared/model/egress.ts';
import type { Refusal } from './admission.ts';
import { toRecordedUrl } from './materials.ts';

const complaintsMax = 2000;
const handedOutMax = 4096;
/** Records are kept in memory by everybody on their way into the provenance: this is 670 bytes for each of 50,000 requests. */
const recordBytesMax = 32 * 1024 ** 2;

/** Amounts and records of one build. */
export interface Ledger {
  /** Counts a request to `host`; a refusal when a quota is used up. */
  admit(host: string): Refusal | null;
  /** Counts body bytes; a refusal when they are more than is left. */
  take(bytes: number): Refusal | null;
  /** Would `bytes` more be refused? Counts nothing. */
  isTooMuch(bytes: number): boolean;
  connected(): void;
  write(record: EgressRecord): void;
  refuse(url: string, code: RefusalCode, sentence: string): void;
  /** Remembers a URL that an upstream gave to the build: a signature in it is then not the build's own secret. */
  handOut(url: string): void;
  wasHandedOut(url: string): boolean;
  /** Writes the summary; later records are dropped. */
  close(): void;
}

/** Writes records by `print`, one line each. */
export function createLedger(quotas: EgressQuotas, print: (line: string) => void): Ledger {
  const hosts = new Set<string>();
  const handedOut = new Set<string>();
  const counts = { requests: 0, artefacts: 0, refusals: 0, bytes: 0, connections: 0 };
  let complaints = 0;
  let recordBytes = 0;
  let isClosed = false;

  const exceeded = (what: string, allowed: number): Refusal => ({
    code: 'quota-exceeded',
    sentence: `this build has used up its quota of ${allowed} ${what}`,
  });
  const printRecord = (record: EgressRecord): void => {
    if (isClosed) return;
    const line = `${JSON.stringify(record)}\n`;
    recordBytes += line.length;
    print(line);
  };
  const write = (record: EgressRecord): void => {
    if (record.kind === 'artefact') counts.artefacts += 1;
    if (record.kind === 'refusal') counts.refusals += 1;
    if (record.kind === 'refusal' || record.kind === 'note') {
      complaints += 1;
      if (complaints === complaintsMax)
        printRecord({
          kind: 'note',
          code: 'records-dropped',
          sentence: 'too many refusals; later ones are only counted',
        });
      if (complaints >= complaintsMax) return;
    }
    printRecord(record);
  };

  return {
    admit(host) {
      counts.requests += 1;
      if (counts.requests > quotas.requestsMax) return exceeded('requests', quotas.requestsMax);
      if (recordBytes > recordBytesMax) return exceeded('bytes of URLs and the like in its records', recordBytesMax);
      if (!hosts.has(host) && hosts.size >= quotas.hostsMax) return exceeded('hosts', quotas.hostsMax);
      hosts.add(host);
      return null;
    },
    take(bytes) {
      if (counts.bytes + bytes > quotas.bytesMax) return exceeded('bytes', quotas.bytesMax);
      counts.bytes += bytes;
      return null;
    },
    isTooMuch: (bytes) => counts.bytes + bytes > quotas.bytesMax,
    connected() {
      counts.connections += 1;
    },
    write,
    refuse: (url, code, sentence) => write({ kind: 'refusal', url: toRecordedUrl(url), code, sentence }),
    handOut(url) {
      const [oldest] = handedOut;
      if (handedOut.size >= handedOutMax && oldest !== undefined) handedOut.delete(oldest);
      handedOut.add(url);
    },
    wasHandedOut: (url) => handedOut.has(url),
    close() {
      printRecord({ kind: 'summary', ...counts, hosts: hosts.size });
      isClosed = true;
    },
  };
}
