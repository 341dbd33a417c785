/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where calls of gates go on, on the caller's stack as it was when it called.
 */
#include "gate.h"

	.text

	/*
	 * Without a result: r11 is what is called, r10 the function's stamp, or 0 if
	 * there is nothing to be stored. All other registers are the caller's. With
	 * the frame that the unwinder is told of, the function is called as by anybody.
	 */
	.p2align 4
	.globl kcr_gate_miss
	.hidden kcr_gate_miss
	.type kcr_gate_miss, @function
kcr_gate_miss:
	.cfi_startproc
	endbr64
	test	%r10, %r10
	jz	2f
	push	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	sub	$KCR_FRAME_SIZE, %rsp
	mov	%rdi, KCR_FRAME_ARGS(%rsp)
	mov	%rsi, KCR_FRAME_ARGS + 8(%rsp)
	mov	%rdx, KCR_FRAME_ARGS + 16(%rsp)
	mov	%rcx, KCR_FRAME_ARGS + 24(%rsp)
	mov	%r8, KCR_FRAME_ARGS + 32(%rsp)
	mov	%r9, KCR_FRAME_ARGS + 40(%rsp)
	mov	%rax, KCR_FRAME_RAX(%rsp)
	mov	%r10, KCR_FRAME_STAMP(%rsp)
	mov	%r11, KCR_FRAME_CALL(%rsp)
	/* The key is made before the function can change what it is made of */
	mov	%rsp, %rdi
	call	kcr_gate_before
	test	%eax, %eax
	mov	KCR_FRAME_ARGS(%rsp), %rdi
	mov	KCR_FRAME_ARGS + 8(%rsp), %rsi
	mov	KCR_FRAME_ARGS + 16(%rsp), %rdx
	mov	KCR_FRAME_ARGS + 24(%rsp), %rcx
	mov	KCR_FRAME_ARGS + 32(%rsp), %r8
	mov	KCR_FRAME_ARGS + 40(%rsp), %r9
	mov	KCR_FRAME_RAX(%rsp), %rax
	mov	KCR_FRAME_CALL(%rsp), %r11
	jz	1f
	call	*(%r11)
	mov	%rax, KCR_FRAME_RET(%rsp)
	mov	%rdx, KCR_FRAME_RET + 8(%rsp)
	mov	%rsp, %rdi
	call	kcr_gate_after
	mov	KCR_FRAME_RET(%rsp), %rax
	mov	KCR_FRAME_RET + 8(%rsp), %rdx
	leave
	.cfi_remember_state
	.cfi_def_cfa %rsp, 8
	.cfi_restore %rbp
	ret
	.cfi_restore_state
	/* As if nothing had been there */
1:	leave
	.cfi_def_cfa %rsp, 8
	.cfi_restore %rbp
2:	jmp	*(%r11)
	.cfi_endproc
	.size kcr_gate_miss, . - kcr_gate_miss

	/* With one, which is in the registers */
	.p2align 4
	.globl kcr_gate_ret
	.hidden kcr_gate_ret
	.type kcr_gate_ret, @function
kcr_gate_ret:
	.cfi_startproc
	ret
	.cfi_endproc
	.size kcr_gate_ret, . - kcr_gate_ret

	.section .note.GNU-stack, "", @progbits
