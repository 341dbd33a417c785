/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The floating-point unit's control words and exception flags, on x86-64: those of SSE, and
 * those of the x87, which long double uses.
 */
#ifndef KCR_MEMO_CONTROL_H
#define KCR_MEMO_CONTROL_H

#include <stdint.h>

#define KCR_FP_FLAGS		0x3fU
#define KCR_FP_MXCSR_MASKS	0x1f80U
#define KCR_FP_X87_MASKS	0x3fU

static inline uint32_t kcr_fp_mxcsr(void)
{
	uint32_t value;

	__asm__ volatile("stmxcsr %0" : "=m"(value));
	return value;
}

static inline void kcr_fp_set_mxcsr(uint32_t value)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(value));
}

static inline uint16_t kcr_fp_x87(void)
{
	uint16_t value;

	__asm__ volatile("fnstcw %0" : "=m"(value));
	return value;
}

static inline uint32_t kcr_fp_x87_flags(void)
{
	uint16_t value;

	__asm__ volatile("fnstsw %0" : "=m"(value));
	return value & KCR_FP_FLAGS;
}

static inline void kcr_fp_clear_x87_flags(void)
{
	__asm__ volatile("fnclex");
}

/* Slow: the x87's flags can be set only together with all else of its environment. */
static inline void kcr_fp_raise_x87_flags(uint32_t flags)
{
	uint32_t environment[7];

	__asm__ volatile("fnstenv %0" : "=m"(environment));
	environment[1] |= flags;
	__asm__ volatile("fldenv %0" : : "m"(environment));
}

#endif /* KCR_MEMO_CONTROL_H */
