/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where calls to reused functions go, and where they come from when they are computed.
 *
 * A thunk keeps all registers but r11, which the ABI gives away between functions.
 */
#include "slots.h"

	.text

	/* One thunk for each slot */
	.p2align 6
	.globl kcr_memo_thunks
	.hidden kcr_memo_thunks
	.type kcr_memo_thunks, @function
kcr_memo_thunks:
	.cfi_startproc
	.set slot, 0
	.rept KCR_MEMO_ALL_SLOTS
	.p2align 6
	endbr64
	cmpl	$KCR_MEMO_READY, kcr_memo_slots + slot * KCR_MEMO_SLOT_SIZE + KCR_MEMO_SLOT_STATE(%rip)
	jne	2f
	/* Calls that this thread bypasses; a signal handler may have taken the last one */
	mov	kcr_memo_skip@gottpoff(%rip), %r11
	cmpl	$0, %fs:slot * 4(%r11)
	jg	1f
	lea	kcr_memo_slots + slot * KCR_MEMO_SLOT_SIZE(%rip), %r11
	jmp	kcr_memo_entry
1:	decl	%fs:slot * 4(%r11)
2:	jmp	*kcr_memo_slots + slot * KCR_MEMO_SLOT_SIZE + KCR_MEMO_SLOT_REAL(%rip)
	.set slot, slot + 1
	.endr
	.cfi_endproc
	.size kcr_memo_thunks, . - kcr_memo_thunks

	/* r11: the slot */
	.p2align 6
	.hidden kcr_memo_entry
	.type kcr_memo_entry, @function
kcr_memo_entry:
	.cfi_startproc
	push	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	sub	$KCR_MEMO_FRAME_SIZE, %rsp
	mov	%rdi, KCR_MEMO_FRAME_GP(%rsp)
	mov	%rsi, KCR_MEMO_FRAME_GP + 8(%rsp)
	mov	%rdx, KCR_MEMO_FRAME_GP + 16(%rsp)
	mov	%rcx, KCR_MEMO_FRAME_GP + 24(%rsp)
	mov	%r8, KCR_MEMO_FRAME_GP + 32(%rsp)
	mov	%r9, KCR_MEMO_FRAME_GP + 40(%rsp)
	mov	%rax, KCR_MEMO_FRAME_RAX(%rsp)
	mov	%r10, KCR_MEMO_FRAME_R10(%rsp)
	mov	%r11, KCR_MEMO_FRAME_SLOT(%rsp)
	lea	16(%rbp), %rax
	mov	%rax, KCR_MEMO_FRAME_STACK(%rsp)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	movups	%xmm\n, KCR_MEMO_FRAME_XMM + \n * 16(%rsp)
	.endr
	mov	%r11, %rdi
	mov	%rsp, %rsi
	call	kcr_memo_dispatch
	test	%eax, %eax
	jnz	2f
	mov	KCR_MEMO_FRAME_RET(%rsp), %rax
	mov	KCR_MEMO_FRAME_RET + 8(%rsp), %rdx
	movups	KCR_MEMO_FRAME_RETX(%rsp), %xmm0
	movups	KCR_MEMO_FRAME_RETX + 16(%rsp), %xmm1
	leave
	.cfi_remember_state
	.cfi_def_cfa %rsp, 8
	ret
	/* As if nothing had been there */
	.cfi_restore_state
2:	mov	KCR_MEMO_FRAME_GP(%rsp), %rdi
	mov	KCR_MEMO_FRAME_GP + 8(%rsp), %rsi
	mov	KCR_MEMO_FRAME_GP + 16(%rsp), %rdx
	mov	KCR_MEMO_FRAME_GP + 24(%rsp), %rcx
	mov	KCR_MEMO_FRAME_GP + 32(%rsp), %r8
	mov	KCR_MEMO_FRAME_GP + 40(%rsp), %r9
	mov	KCR_MEMO_FRAME_RAX(%rsp), %rax
	mov	KCR_MEMO_FRAME_R10(%rsp), %r10
	mov	KCR_MEMO_FRAME_SLOT(%rsp), %r11
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	movups	KCR_MEMO_FRAME_XMM + \n * 16(%rsp), %xmm\n
	.endr
	leave
	.cfi_def_cfa %rsp, 8
	jmp	*KCR_MEMO_SLOT_REAL(%r11)
	.cfi_endproc
	.size kcr_memo_entry, . - kcr_memo_entry

	/* void kcr_memo_call(struct kcr_memo_frame *frame, void *real, uint64_t stack_words) */
	.p2align 4
	.globl kcr_memo_call
	.hidden kcr_memo_call
	.type kcr_memo_call, @function
kcr_memo_call:
	.cfi_startproc
	push	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	push	%rbx
	.cfi_offset %rbx, -24
	sub	$8, %rsp
	mov	%rdi, %rbx
	mov	%rsi, %r11
	test	%rdx, %rdx
	jz	3f
	/* Arguments on the stack, which stays aligned */
	lea	8(, %rdx, 8), %rax
	and	$-16, %rax
	sub	%rax, %rsp
	mov	%rdx, %rcx
	mov	KCR_MEMO_FRAME_STACK(%rbx), %rsi
	mov	%rsp, %rdi
	rep movsq
3:	mov	KCR_MEMO_FRAME_GP(%rbx), %rdi
	mov	KCR_MEMO_FRAME_GP + 8(%rbx), %rsi
	mov	KCR_MEMO_FRAME_GP + 16(%rbx), %rdx
	mov	KCR_MEMO_FRAME_GP + 24(%rbx), %rcx
	mov	KCR_MEMO_FRAME_GP + 32(%rbx), %r8
	mov	KCR_MEMO_FRAME_GP + 40(%rbx), %r9
	mov	KCR_MEMO_FRAME_RAX(%rbx), %rax
	mov	KCR_MEMO_FRAME_R10(%rbx), %r10
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	movups	KCR_MEMO_FRAME_XMM + \n * 16(%rbx), %xmm\n
	.endr
	call	*%r11
	mov	%rax, KCR_MEMO_FRAME_RET(%rbx)
	mov	%rdx, KCR_MEMO_FRAME_RET + 8(%rbx)
	movups	%xmm0, KCR_MEMO_FRAME_RETX(%rbx)
	movups	%xmm1, KCR_MEMO_FRAME_RETX + 16(%rbx)
	mov	-8(%rbp), %rbx
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size kcr_memo_call, . - kcr_memo_call

	/* The audit library finds this by its name */
	.section .rodata
	.p2align 3
	.globl kcr_memo_interface
	.type kcr_memo_interface, @object
kcr_memo_interface:
	.quad	kcr_memo_slots - kcr_memo_interface
	.quad	kcr_memo_thunks - kcr_memo_interface
	.quad	kcr_memo_hooks - kcr_memo_interface
	.size kcr_memo_interface, . - kcr_memo_interface

	.section .note.GNU-stack, "", @progbits
