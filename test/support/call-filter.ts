/**
 * Runs a seccomp filter over one system call, as a kernel of any architecture would: the instructions that shared/sandbox/launcher/seccomp.c makes.
 * Never guesses: an instruction that it doesn't know is an error.
 */
import assert from 'node:assert/strict';

/** The kernel's struct sock_filter. */
export interface FilterInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** A call as a filter sees it. */
export interface FilteredCall {
  readonly number: number;
  /** AUDIT_ARCH_… */
  readonly architecture: number;
  /** Arguments; missing ones are 0. */
  readonly given: readonly number[];
}

const ARGUMENTS_AT = 16;
const RET_ALLOW = 0x7fff0000;
const RET_ERRNO = 0x00050000;

/** The struct seccomp_data, in the byte order of both architectures. */
function toData({ number, architecture, given }: FilteredCall): DataView {
  const data = new DataView(new ArrayBuffer(ARGUMENTS_AT + 6 * 8));
  data.setInt32(0, number, true);
  data.setUint32(4, architecture, true);
  given.forEach((value, index) => {
    data.setBigUint64(ARGUMENTS_AT + 8 * index, BigInt(value), true);
  });
  return data;
}

/** The errno that a call is answered with by this filter, 0 where it is as if it had been made; null: it is made. */
export function callFilter(filter: readonly FilterInstruction[], call: FilteredCall): number | null {
  const data = toData(call);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const instruction = filter[at];
    assert.ok(instruction !== undefined, `the filter has no instruction ${at}`);
    const { code, jt, jf, k } = instruction;
    if (code === 0x20) accumulator = data.getUint32(k, true);
    else if (code === 0x05) at += k;
    else if (code === 0x06) {
      if (k === RET_ALLOW) return null;
      assert.equal((k & 0xffff0000) >>> 0, RET_ERRNO, `the filter answers ${k}`);
      return k & 0xffff;
    } else at += isTaken(code, accumulator, k) ? jt : jf;
  }
}

function isTaken(code: number, accumulator: number, k: number): boolean {
  if (code === 0x15) return accumulator === k;
  if (code === 0x25) return accumulator > k;
  if (code === 0x35) return accumulator >= k;
  assert.equal(code, 0x45, `the filter has the instruction ${code}`);
  return (accumulator & k) !== 0;
}
