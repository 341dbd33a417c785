/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libkcr: memory that others change meanwhile.
 *
 * What the kernel writes in a region is read word by word with READ_ONCE(),
 * between two looks at a sequence: (R) in the driver's region_slot.c. What
 * threads and signal handlers share is private to the process and tolerates lost
 * updates: it is loaded and stored, relaxed, never locked.
 */
#ifndef KCR_ATOMIC_H
#define KCR_ATOMIC_H

#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define kcr_inline inline __attribute__((always_inline))

#if defined(__SANITIZE_THREAD__)
#define KCR_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KCR_TSAN 1
#endif
#endif

#ifdef KCR_TSAN
/* The sanitizer does not know fences: let each load do what the fence does */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define smp_rmb() __atomic_signal_fence(__ATOMIC_ACQUIRE)
#else
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#endif

#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define store_relaxed(p, x) __atomic_store_n(p, x, __ATOMIC_RELAXED)

/* Not one operation: an update by another may be lost */
#define add_relaxed(p, x) store_relaxed(p, load_relaxed(p) + (x))

#endif /* KCR_ATOMIC_H */
