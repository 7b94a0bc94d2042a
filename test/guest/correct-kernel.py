"""Corrects one function of user-mode Linux 6.12, in the copy that test/guest/fetch keeps: correct-kernel.py LINUX.UML MARKER.

A fork that is killed in the middle marks the place in the new process's map of memory (dup_mmap, XA_ZERO_ENTRY = 0x406); exit_mmap
knows the mark, but flush_tlb_mm takes it for an area and the kernel panics. Here its loop ends at whatever lies in the first page.
Never guesses: a kernel whose loop is not this one, exactly once, stays as it is, and MARKER is not made.
"""

import re
import sys

# struct mm_struct's context.sync_tlb_range_from and _to; the compiler's offsets may move.
LOW, HIGH = rb"(?P<low>.{4})", rb"(?P<high>.{4})"
LOOP = re.compile(
    rb"\x48\x85\xc0\x74\x3a"  # test rax, rax: the next area; jz out
    rb"\x48\x8b\x8b" + HIGH  # mov rcx, [rbx + high]
    + rb"\x48\x8b\x50\x08\x48\x8b\x00"  # mov rdx, [rax + 8]: its end; mov rax, [rax]: its start
    rb"\x48\x85\xc9\x75\x09"  # test rcx, rcx; jnz
    rb"\x48\x89\x83" + LOW + rb"\xeb\x15"  # mov [rbx + low], rax; jmp
    rb"\x48\x3b\x83(?P=low)\x73\x07"  # cmp rax, [rbx + low]; jae
    rb"\x48\x89\x83(?P=low)"  # mov [rbx + low], rax
    rb"\x48\x39\xd1\x73\xbf"  # cmp rcx, rdx; jae next
    rb"\x48\x89\x93(?P=high)\xeb\xb6",  # mov [rbx + high], rdx; jmp next
    re.DOTALL,
)
NEXT, START = -11, 0  # of the loop's first instruction, relative to what is replaced


def corrected(low: bytes, high: bytes, size: int) -> bytes:
    """The same loop, shorter, with one comparison more."""
    code = b"\x48\x3d\x00\x10\x00\x00"  # cmp rax, 4096
    code += b"\x72" + bytes([size - len(code) - 2])  # jb out
    code += b"\x48\x8b\x8b" + high + b"\x48\x8b\x50\x08\x48\x8b\x00"
    code += b"\x48\x85\xc9\x74\x09"  # test rcx, rcx; jz: no range yet
    code += b"\x48\x3b\x83" + low + b"\x73\x07"  # cmp rax, [rbx + low]; jae
    code += b"\x48\x89\x83" + low  # mov [rbx + low], rax
    code += b"\x48\x39\xd1"  # cmp rcx, rdx
    code += b"\x73" + (NEXT - len(code) - 2).to_bytes(1, "little", signed=True)  # jae next
    code += b"\x48\x89\x93" + high
    code += b"\xeb" + (NEXT - len(code) - 2).to_bytes(1, "little", signed=True)
    return code.ljust(size, b"\x90")


path, marker = sys.argv[1:]
with open(path, "rb") as file:
    kernel = file.read()
found = list(LOOP.finditer(kernel))
if len(found) != 1:
    sys.exit(f"guest: the kernel's loop is found {len(found)} times, not once; it stays as it is, and fork bombs are left out")
loop = found[0]
code = corrected(loop["low"], loop["high"], len(loop[0]))
with open(path, "wb") as file:
    file.write(kernel[: loop.start()] + code + kernel[loop.end() :])
with open(marker, "w") as file:
    file.write("forks may be killed\n")
