section .data
greeting: db "Hello, world!", 10
length: equ $ - greeting

section .text
global _start
_start:
  mov eax, 1
  mov edi, 1
  mov rsi, greeting
  mov edx, length
  syscall
  mov eax, 60
  xor edi, edi
  syscall
