/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * @file
 * @brief libkcr: gates, addresses that are called in place of functions.
 *
 * Whoever calls a gate has the function's result: remembered, or computed by the
 * function itself, and remembered then. The caller need not know: a gate can be put
 * into a table of functions, or be passed as a callback. A call is a fault that the
 * kernel answers; where the program can call kcr_begin() by itself, that is cheaper.
 *
 * Gates are for x86-64 and for functions that take up to six integers or pointers
 * and return integers of up to 16 bytes. Exceptions, longjmp(), backtraces, threads,
 * signal handlers, recursion and fork() are as with the function. Where gates cannot
 * be had, kcr_gate_function() gives the function itself.
 */
#ifndef KCR_GATE_H
#define KCR_GATE_H

#include <kcr.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** Room for gates; see kcr_gates_open(). */
struct kcr_gates;

/** A function of any type, or a gate to it: to be cast. */
typedef void (*kcr_code)(void);

/**
 * @brief Make room for gates.
 * @param domain where results are remembered
 * @return the room, which stays until the process ends, and with it the domain; see
 * kcr_gates_status().
 *
 * Context: process; allocates memory and makes system calls.
 */
struct kcr_gates *kcr_gates_open(struct kcr_domain *domain);

/**
 * @brief Are there gates, and if not, why?
 * @param gates the room
 * @param text as in kcr_domain_status()
 * @return 0 if there are; the domain's status if that is not 0; -EOPNOTSUPP
 * (another architecture, or a processor that does not say that a fault was a call),
 * -ENOTTY (the kernel has no gates), -EACCES (the domain may only be looked up in),
 * -ENOMEM.
 *
 * Context: any.
 */
int kcr_gates_status(const struct kcr_gates *gates, const char **text);

/**
 * @brief Make a gate to a function.
 * @param gates where; up to 256 in each
 * @param function the function
 * @param signature what it takes and returns, in parentheses, as in
 * "(u64, ptr[len=arg0*8], cstr) -> i32". Arguments, counted from arg0:
 *	- u8, u16, u32, u64, i8, i16, i32, i64, bool, char, short, int, long, size_t
 *	- id: a pointer as such, to an object that does not change
 *	- ptr[64], ptr[len=arg1], ptr[len=arg1*8]: memory that it reads
 *	- cstr, cstr[64]: a string that it reads, of up to so many bytes with the
 *	  terminating zero; 256 if nothing is said
 *	- out[16], out[len=arg1]: memory that it writes, all of it in each call
 *
 *	Results: the integers, struct{u64,u64} of up to 16 bytes, or void. At most four
 *	arguments are memory; all arguments and what is read take at most 512 bytes,
 *	what is written 224. Longer ones are called without being remembered.
 * @param options as for kcr_function_create(); key_max, result_max, overhead,
 * audit_interval and sets do not count. The same function with another signature is
 * another one
 * @param status if not NULL, set to 0, or to why there is no gate: -EINVAL (that
 * signature cannot be read), -EOPNOTSUPP (it can, but not be a gate's: floating
 * point, arguments on the stack, variable arguments, pointers that are returned),
 * -E2BIG (keys or results would always be too long), -ENOSPC (no room), or what
 * kcr_gates_status() and kcr_function_status() return
 * @param why if not NULL, set to that as a sentence, never to be freed
 * @return the gate, or @p function itself; to be cast to the function's type.
 *
 * The function's result must depend on nothing but what was declared.
 *
 * Context: process; allocates memory and makes system calls.
 */
kcr_code kcr_gate_function(struct kcr_gates *gates, kcr_code function, const char *signature,
			   const struct kcr_function_options *options, int *status,
			   const char **why);

/** @brief What became of calls. */
struct kcr_gates_stats {
	size_t size;		/**< sizeof(struct kcr_gates_stats), set by the caller */
	uint64_t hits;		/**< remembered */
	uint64_t misses;	/**< computed, and perhaps remembered then */
	uint64_t plain;		/**< computed, because KCR was switched off */
	uint64_t audits;	/**< remembered, but computed to compare */
};

/**
 * @brief Ask the kernel what became of calls.
 * @param gates the room
 * @param stats where to put it; its size must be set
 * @return 0; -EINVAL if the size is too small, -EBADF if there are no gates, -EPERM
 * after kcr_stop_storing().
 *
 * Context: any; makes a system call.
 */
int kcr_gates_get_stats(struct kcr_gates *gates, struct kcr_gates_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* KCR_GATE_H */
