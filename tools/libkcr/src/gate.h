/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libkcr: gates, and the code behind them.
 */
#ifndef KCR_GATE_INTERNAL_H
#define KCR_GATE_INTERNAL_H

/* struct kcr_gate_frame, for gate_x86_64.S */
#define KCR_FRAME_ARGS	0
#define KCR_FRAME_RAX	48
#define KCR_FRAME_STAMP	56
#define KCR_FRAME_RET	64
#define KCR_FRAME_CALL	80
#define KCR_FRAME_SIZE	608

#ifndef __ASSEMBLER__

#include "internal.h"
#include "kcr_gate.h"

#include <linux/kcr_track.h>

/**
 * struct kcr_gate_shape - what is known of calls of a function
 * @nr_args: arguments
 * @nr_memory: what they point to, how much of @memory is used
 * @key_max: longest key
 * @result_max: longest result
 * @masks: of rax and rdx, what counts
 * @memory: what they point to
 */
struct kcr_gate_shape {
	uint32_t nr_args;
	uint32_t nr_memory;
	uint32_t key_max;
	uint32_t result_max;
	uint64_t masks[2];
	struct kcr_gate_memory memory[KCR_GATE_MEMORY];
};

/**
 * struct kcr_gate_call - what a gate leads to; stays as long as gates do
 * @plain: the function
 * @gates: where the gate is
 * @function: the function's number in the domain
 * @shape: what is known of calls
 */
struct kcr_gate_call {
	kcr_code plain;
	struct kcr_gates *gates;
	uint32_t function;
	struct kcr_gate_shape shape;
};

/**
 * struct kcr_gate_frame - a call that is computed
 * @args: rdi, rsi, rdx, rcx, r8, r9
 * @rax: rax
 * @stamp: the function's stamp
 * @ret: rax and rdx when it returns
 * @call: what is called
 * @key_len: bytes of @key
 * @key: the call's key
 */
struct kcr_gate_frame {
	uint64_t args[KCR_GATE_ARGS];
	uint64_t rax;
	uint64_t stamp;
	uint64_t ret[2];
	struct kcr_gate_call *call;
	uint64_t key_len;
	uint64_t key[KCR_GATE_KEY_MAX / 8];
};

_Static_assert(sizeof(struct kcr_gate_frame) == KCR_FRAME_SIZE &&
	       offsetof(struct kcr_gate_frame, rax) == KCR_FRAME_RAX &&
	       offsetof(struct kcr_gate_frame, stamp) == KCR_FRAME_STAMP &&
	       offsetof(struct kcr_gate_frame, ret) == KCR_FRAME_RET &&
	       offsetof(struct kcr_gate_frame, call) == KCR_FRAME_CALL, "gate_x86_64.S");

/* gate_x86_64.S: where calls go on without and with a result */
void kcr_gate_miss(void);
void kcr_gate_ret(void);

/* gate_call.c, called from there */
int kcr_gate_before(struct kcr_gate_frame *frame);
void kcr_gate_after(struct kcr_gate_frame *frame);

/* gate.c */
const struct kcr_domain *kcr_gates_domain(const struct kcr_gates *gates);

/* gate_signature.c */
int kcr_gate_parse(const char *signature, struct kcr_gate_shape *shape, const char **why);

#endif /* __ASSEMBLER__ */
#endif /* KCR_GATE_INTERNAL_H */
