/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Just enough of the kernel to compile kernel/kcr for user space.
 *
 * A "CPU" is a number that a thread takes with kcr_shim_set_cpu(); no two
 * threads may have the same one at the same time. Interrupts do not exist. RCU
 * callbacks run when the readers of their time are gone: kcr_shim_quiesce().
 *
 * The sanitizers understand what is here: READ_ONCE() and the like are atomics
 * with the order that the kernel gives them, and data_race() is not looked at.
 *
 * With KCR_SHIM_BENCH, what the kernel patches into its code or leaves out is
 * not there: static keys are constants, and nothing can be replaced for tests.
 */
#ifndef KCR_SHIM_H
#define KCR_SHIM_H

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef XXH_INLINE_ALL
#include <xxhash.h>
#endif

#ifdef __cplusplus
extern "C" {
#define typeof __typeof__
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef int32_t s32;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;
typedef unsigned __int128 u128;
typedef unsigned int gfp_t;
typedef struct {
	int counter;
} atomic_t;

#define U16_MAX UINT16_MAX
#define S32_MAX INT32_MAX
#define U32_MAX UINT32_MAX
#define U64_MAX UINT64_MAX

/* compiler */
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define noinline __attribute__((noinline))
#define __aligned(x) __attribute__((aligned(x)))
#define ____cacheline_aligned_in_smp __aligned(64)
#define __init
#define __ro_after_init
#define __percpu
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#ifndef __cplusplus
#undef static_assert
#define static_assert(x) _Static_assert(x, #x)
#endif
#define EXPORT_SYMBOL_GPL(x) struct kcr_shim_export_##x
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#ifdef KCR_SHIM_TSAN
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
#define data_race(x)                                                                               \
	({                                                                                         \
		AnnotateIgnoreReadsBegin(__FILE__, __LINE__);                                      \
		AnnotateIgnoreWritesBegin(__FILE__, __LINE__);                                     \
		typeof(x) _r = (x);                                                                \
		AnnotateIgnoreWritesEnd(__FILE__, __LINE__);                                       \
		AnnotateIgnoreReadsEnd(__FILE__, __LINE__);                                        \
		_r;                                                                                \
	})
#else
#define data_race(x) (x)
#endif
#define max(a, b) ({ typeof(a) _a = (a); typeof(b) _b = (b); _a > _b ? _a : _b; })
#define min(a, b) ({ typeof(a) _a = (a); typeof(b) _b = (b); _a < _b ? _a : _b; })
#define min_t(type, a, b) ({ type _a = (a); type _b = (b); _a < _b ? _a : _b; })
#define max_t(type, a, b) ({ type _a = (a); type _b = (b); _a > _b ? _a : _b; })
#ifndef __cplusplus
#define fallthrough __attribute__((fallthrough))
#endif
#define __fls(x) (63UL - (unsigned long)__builtin_clzl(x))
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (typeof(x))(v), __ATOMIC_RELAXED)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xchg(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define try_cmpxchg(p, old, new_value)                                                             \
	__atomic_compare_exchange_n(p, old, new_value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define cpu_relax() __builtin_ia32_pause()
#define get_unaligned(p)                                                                           \
	({                                                                                         \
		typeof(*(p)) _v;                                                                   \
		memcpy((void *)&_v, p, sizeof(_v));                                                \
		_v;                                                                                \
	})

typedef struct {
	long v;
} atomic_long_t;
typedef struct {
	s64 v;
} atomic64_t;
#define ATOMIC64_INIT(x) { x }
#define atomic64_fetch_add_relaxed(n, a) __atomic_fetch_add(&(a)->v, n, __ATOMIC_RELAXED)
#define atomic_long_add_return(n, a) __atomic_add_fetch(&(a)->v, n, __ATOMIC_SEQ_CST)
#define atomic_long_sub(n, a) ((void)__atomic_sub_fetch(&(a)->v, n, __ATOMIC_RELAXED))
#define atomic_long_inc(a) ((void)__atomic_add_fetch(&(a)->v, 1, __ATOMIC_RELAXED))
#define atomic_long_dec(a) ((void)__atomic_sub_fetch(&(a)->v, 1, __ATOMIC_RELAXED))
#define atomic_long_read(a) __atomic_load_n(&(a)->v, __ATOMIC_RELAXED)

/* CPUs: copies of one section, at a distance that each thread knows */
#define NR_CPUS 8
#define MAX_NUMNODES 1
#define NUMA_NO_NODE (-1)
extern __thread ptrdiff_t kcr_shim_cpu_offset;
void kcr_shim_set_cpu(unsigned int cpu);
void *kcr_shim_cpu_ptr(void *ptr, unsigned int cpu);
void *kcr_shim_alloc_percpu(size_t size);
#define __kcr_percpu __attribute__((section("kcr_percpu")))
#define DEFINE_PER_CPU(type, name) __kcr_percpu type name
#define DECLARE_PER_CPU(type, name) extern type name
#define this_cpu_ptr(p) ((typeof(p))((char *)(p) + kcr_shim_cpu_offset))
#define per_cpu_ptr(p, cpu) ((typeof(p))kcr_shim_cpu_ptr((void *)(p), cpu))
#define raw_cpu_read(x) (*this_cpu_ptr(&(x)))
#define this_cpu_read(x) (*this_cpu_ptr(&(x)))
#define this_cpu_add(x, n) ((void)(*this_cpu_ptr(&(x)) += (n)))
#define this_cpu_inc(x) this_cpu_add(x, 1)
#define raw_cpu_inc_return(x) (++*this_cpu_ptr(&(x)))
#define raw_cpu_dec_return(x) (--*this_cpu_ptr(&(x)))
#define this_cpu_write(x, v) ((void)(*this_cpu_ptr(&(x)) = (v)))
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < NR_CPUS; (cpu)++)
/* Nobody runs meanwhile, so all CPUs may as well be offline */
#define cpu_online(cpu) false
#define on_each_cpu(func, info, wait) ((void)(func))
#define cpus_read_lock() do { } while (0)
#define cpus_read_unlock() do { } while (0)
#define in_nmi() false
#define local_irq_save(flags) ((void)((flags) = 0))
#define local_irq_restore(flags) ((void)(flags))

/* locks and static keys */
struct mutex {
	pthread_mutex_t lock;
};
struct static_key_false {
	bool enabled;
};
#define DECLARE_STATIC_KEY_FALSE(name) extern struct static_key_false name
#ifdef KCR_SHIM_BENCH
#define static_branch_likely(key) true
#define static_branch_unlikely(key) false
#else
#define static_branch_likely(key) likely(READ_ONCE((key)->enabled))
#define static_branch_unlikely(key) unlikely(READ_ONCE((key)->enabled))
#endif
#define OPTIMIZER_HIDE_VAR(var) __asm__("" : "+r"(var))

/* kcr_fingerprint() can be replaced, in all threads */
struct kcr_query;
extern u64 (*kcr_shim_fingerprint)(const struct kcr_query *q);
#define KCR_SHIM_STUB_kcr_fingerprint(q)                                                           \
	do {                                                                                       \
		if (unlikely(kcr_shim_fingerprint))                                                \
			return kcr_shim_fingerprint(q);                                            \
	} while (0)
#define KCR_SHIM_STUB_kcr_blob_read(blob, q) do { } while (0)
#define KCR_SHIM_STUB_kcr_clock() do { } while (0)
#ifdef KCR_SHIM_BENCH
#define KUNIT_STATIC_STUB_REDIRECT(...) do { } while (0)
#else
#define KUNIT_STATIC_STUB_REDIRECT(fn, ...) KCR_SHIM_STUB_##fn(__VA_ARGS__)
#endif

/* counted references */
typedef struct {
	u32 refs;
} refcount_t;
static inline void refcount_inc(refcount_t *r)
{
	__atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED);
}
static inline bool refcount_inc_not_zero(refcount_t *r)
{
	u32 refs = __atomic_load_n(&r->refs, __ATOMIC_RELAXED);

	while (refs && !__atomic_compare_exchange_n(&r->refs, &refs, refs + 1, false,
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return refs;
}
static inline bool refcount_dec_and_test(refcount_t *r)
{
	return __atomic_fetch_sub(&r->refs, 1, __ATOMIC_ACQ_REL) == 1;
}

#define atomic_fetch_add_unless(a, n, u) __atomic_fetch_add(&(a)->counter, n, __ATOMIC_RELAXED)
#define atomic64_inc_return(a) __atomic_add_fetch(&(a)->v, 1, __ATOMIC_RELAXED)

/* Whose process a thread belongs to, and ChaCha20 */
#ifdef CONFIG_KCR_ENCRYPTION
#include <linux/kcr_cipher.h>
struct mm_struct {
	struct kcr_cipher kcr_cipher;
};
struct task_struct {
	struct mm_struct *mm;
};
extern __thread struct task_struct kcr_shim_current;
#ifndef __cplusplus
#define current (&kcr_shim_current)
#define in_task() true
#endif
#endif
#define BUILD_BUG_ON(x) _Static_assert(!(x), #x)
#define round_up(n, d) (((n) + (d) - 1) / (d) * (d))
#define CHACHA_BLOCK_SIZE 64
#define CHACHA_STATE_WORDS 16
void chacha_init_consts(u32 *state);
void chacha20_block(u32 *state, u8 *stream);
static inline void crypto_xor(u8 *dst, const u8 *src, unsigned int n)
{
	while (n--)
		*dst++ ^= *src++;
}

/* memory */
#define GFP_KERNEL 0
#define GFP_NOWAIT 0
#define __GFP_NOWARN 0
#define SLAB_HWCACHE_ALIGN 0
struct kmem_cache {
	size_t size;
};
void *kcr_shim_alloc(size_t size, bool zero);
void *kcr_shim_alloc_table(size_t size);
#define kmalloc(size, gfp) kcr_shim_alloc(size, false)
#define kzalloc_node(size, gfp, node) kcr_shim_alloc_table(size)
#define kvzalloc_node(size, gfp, node) kcr_shim_alloc_table(size)
#define kfree(p) free(p)
#define kvfree(p) free(p)
#define kfree_sensitive(p) free(p)
#define ksize(p) malloc_usable_size(p)
#define array_size(a, b) ((size_t)(a) * (b))
#define memzero_explicit(p, n) explicit_bzero(p, n)
struct kmem_cache *kcr_shim_cache(size_t size);
#define KMEM_CACHE(name, flags) kcr_shim_cache(sizeof(struct name))
#define kmem_cache_alloc(cache, gfp) kcr_shim_alloc((cache)->size, false)
#define kmem_cache_free(cache, p) free(p)

/* RCU */
struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};
void rcu_read_lock(void);
void rcu_read_unlock(void);
void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void kcr_shim_quiesce(void);

/* the rest */
extern unsigned long kcr_shim_jiffies;
#define jiffies READ_ONCE(kcr_shim_jiffies)
u64 xxh64(const void *data, size_t len, u64 seed);
void get_random_bytes(void *buf, size_t len);
static inline u64 get_cycles(void)
{
	return __builtin_ia32_rdtsc();
}
#define trace_kcr_hit(q, tier) do { } while (0)
#define trace_kcr_miss(q, reason) do { } while (0)
#define trace_kcr_store(q, err) do { } while (0)
#define trace_kcr_invalidate(old_stamp, new_stamp) do { } while (0)
#define trace_kcr_bypass(name, size, requests) do { } while (0)

#ifdef __cplusplus
}
#endif

#endif /* KCR_SHIM_H */
