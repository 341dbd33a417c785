/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Just enough of the kernel to compile the part of drivers/kcr that does not
 * deal with files for user space. Memory is shared with children, as the
 * kernel's is.
 */
#ifndef KCR_EMUL_SHIM_H
#define KCR_EMUL_SHIM_H

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As the kernel's: the same types as those of uapi headers */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;
typedef unsigned __int128 u128;

#define U32_MAX UINT32_MAX
#define PAGE_SIZE 4096
#define SZ_64K (64UL << 10)
#define SZ_1M (1UL << 20)
#define SZ_1G (1UL << 30)
#define ENOIOCTLCMD 515
#define __user
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (__typeof__(x))(v), __ATOMIC_RELAXED)
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#ifdef __SANITIZE_THREAD__
/* Fences are not understood there: let the stores that follow do it */
#undef WRITE_ONCE
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (__typeof__(x))(v), __ATOMIC_RELEASE)
#define smp_wmb() do { } while (0)
#else
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#endif
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define round_up(n, d) (DIV_ROUND_UP(n, d) * (d))
#define max(a, b) ({ __auto_type _a = (a); __auto_type _b = (b); _a > _b ? _a : _b; })
#define min(a, b) ({ __auto_type _a = (a); __auto_type _b = (b); _a < _b ? _a : _b; })
#define max_t(type, a, b) ({ type _a = (a); type _b = (b); _a > _b ? _a : _b; })
#define rounddown_pow_of_two(n) (1UL << (63 - __builtin_clzl(n)))
#define is_power_of_2(n) ((n) && !((n) & ((n) - 1)))

struct mutex {
	pthread_mutex_t lock;
};
void mutex_init(struct mutex *mutex);
#define mutex_destroy(mutex) pthread_mutex_destroy(&(mutex)->lock)
#define mutex_lock(mutex) pthread_mutex_lock(&(mutex)->lock)
#define mutex_unlock(mutex) pthread_mutex_unlock(&(mutex)->lock)

#define GFP_KERNEL_ACCOUNT 0
void *kcr_emul_alloc(size_t size);
void kcr_emul_free(void *p);
#define kvcalloc(n, size, gfp) kcr_emul_alloc((size_t)(n) * (size))
#define kvfree(p) kcr_emul_free(p)
/* Of the very size, so that the sanitizers see what is beyond */
#define kvmalloc_array(n, size, gfp) malloc((size_t)(n) * (size))
#define kvfree_sensitive(p, size) free(p)
#define memzero_explicit(p, n) explicit_bzero(p, n)
#define strscpy_pad(to, from, size) (memset(to, 0, size), memcpy(to, from, strnlen(from, (size) - 1)))
void get_random_bytes(void *buf, size_t len);
u64 xxh64(const void *data, size_t len, u64 seed);
#define pr_info_ratelimited(...) fprintf(stderr, __VA_ARGS__)

/* User space is here */
static inline unsigned long kcr_emul_copy(void *to, const void *from, size_t n)
{
	if (!from && n)
		return n;
	if (n)
		memcpy(to, from, n);
	return 0;
}
#define copy_from_user(to, from, n) kcr_emul_copy(to, from, n)
#define copy_to_user(to, from, n) kcr_emul_copy(to, from, n)
#define get_user(x, p) ((p) ? ((x) = *(p), 0) : -EFAULT)
#define put_user(x, p) ((p) ? (*(p) = (x), 0) : -EFAULT)
#define u64_to_user_ptr(x) ((void *)(uintptr_t)(x))
#define IS_ENABLED(option) 1 /* of what is emulated, everything is */
int copy_struct_from_user(void *to, size_t size, const void *from, size_t their_size);
#define signal_pending(task) false
#define cond_resched() do { } while (0)

bool kcr_is_enabled(void);

#endif /* KCR_EMUL_SHIM_H */
