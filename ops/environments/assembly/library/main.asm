; The sum of two numbers, read and written by C's library.
extern scanf, printf

section .data
asked: db "%ld %ld", 0
told: db "%ld", 10, 0

section .bss
first: resq 1
second: resq 1

section .text
global main
main:
  push rbx
  mov rdi, asked
  mov rsi, first
  mov rdx, second
  xor eax, eax
  call scanf
  mov rdi, told
  mov rsi, [first]
  add rsi, [second]
  xor eax, eax
  call printf
  xor eax, eax
  pop rbx
  ret
