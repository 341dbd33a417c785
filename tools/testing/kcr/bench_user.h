/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libkcr for the benchmark, over the emulated driver, in a shared library of its own, as
 * programs have it: core and libkcr have functions of the same names.
 */
#ifndef KCR_BENCH_USER_H
#define KCR_BENCH_USER_H

/* The core's header has another */
#define kcr_call kcr_user_call
#include "kcr.h"
#undef kcr_call

#ifdef __cplusplus
extern "C" {
#endif

/* A function with keys and results of @bytes bytes, in a domain of its own, of that size */
struct kcr_function* kcr_bench_user_create(uint32_t bytes, uint64_t region_size);

#ifdef __cplusplus
}
#endif

#endif /* KCR_BENCH_USER_H */
