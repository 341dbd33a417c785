// SPDX-License-Identifier: GPL-2.0-only
#define XXH_INLINE_ALL
#include "kcr_shim.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>

#define KCR_SHIM_DYNAMIC 65536
#define KCR_SHIM_PAGE 4096UL
#define KCR_SHIM_HUGE (2UL << 20)
/* RCU callbacks that wait before call_rcu() looks after them itself */
#define KCR_SHIM_CALLBACKS 256

extern char __start_kcr_percpu[], __stop_kcr_percpu[];

__thread ptrdiff_t kcr_shim_cpu_offset;
static __thread unsigned int this_cpu;
unsigned long kcr_shim_jiffies = 1000;
u64 (*kcr_shim_fingerprint)(const struct kcr_query *q);

/* CPU 0 is the section itself; what alloc_percpu() hands out is in it */
static __kcr_percpu char dynamic[KCR_SHIM_DYNAMIC] __aligned(64) = { 1 };
static size_t dynamic_used = 64;
static char *copies[NR_CPUS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *check(void *p)
{
	if (!p) {
		fputs("kcr_shim: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *kcr_shim_cpu_ptr(void *ptr, unsigned int cpu)
{
	size_t size = __stop_kcr_percpu - __start_kcr_percpu;
	char *copy;

	if (cpu >= NR_CPUS)
		abort();
	if (!cpu)
		return ptr;
	pthread_mutex_lock(&lock);
	if (!copies[cpu]) {
		copies[cpu] = check(aligned_alloc(64, (size + 63) & ~(size_t)63));
		memset(copies[cpu], 0, size);
	}
	copy = copies[cpu];
	pthread_mutex_unlock(&lock);
	return copy + ((char *)ptr - __start_kcr_percpu);
}

void kcr_shim_set_cpu(unsigned int cpu)
{
	this_cpu = cpu;
	kcr_shim_cpu_offset = (char *)kcr_shim_cpu_ptr(__start_kcr_percpu, cpu) - __start_kcr_percpu;
}

void *kcr_shim_alloc_percpu(size_t size)
{
	void *p;

	pthread_mutex_lock(&lock);
	if (dynamic_used + size > sizeof(dynamic))
		abort();
	p = dynamic + dynamic_used;
	dynamic_used += (size + 63) & ~(size_t)63;
	pthread_mutex_unlock(&lock);
	return p;
}

void *kcr_shim_alloc(size_t size, bool zero)
{
	void *p = NULL;

	/* Of the very size, so that the sanitizers see what is beyond */
	if (posix_memalign(&p, 64, size))
		p = NULL;
	check(p);
	return zero ? memset(p, 0, size) : p;
}

/*
 * Zeroed, and nothing else on its pages. Large ones are huge pages, as they
 * would be in the kernel's direct map.
 */
void *kcr_shim_alloc_table(size_t size)
{
	size_t align = size < KCR_SHIM_HUGE / 32 ? KCR_SHIM_PAGE : KCR_SHIM_HUGE;
	void *p;

	size = (size + align - 1) & ~(align - 1);
	p = check(aligned_alloc(align, size));
	if (align == KCR_SHIM_HUGE)
		madvise(p, size, MADV_HUGEPAGE);
	return memset(p, 0, size);
}

struct kmem_cache *kcr_shim_cache(size_t size)
{
	struct kmem_cache *cache = check(malloc(sizeof(*cache)));

	cache->size = size;
	return cache;
}

/*
 * RCU: each CPU says in which period its reader began; odd, or 0 if there is
 * none. Whoever waits begins another period, and then for those of older ones.
 */
static struct reader {
	u64 period;
	unsigned int depth;
} __aligned(64) readers[NR_CPUS];
static u64 period = 1;
static struct rcu_head *callbacks;
static unsigned int nr_callbacks;

void rcu_read_lock(void)
{
	struct reader *me = &readers[this_cpu];

	if (!me->depth++)
		__atomic_store_n(&me->period, __atomic_load_n(&period, __ATOMIC_SEQ_CST),
				 __ATOMIC_SEQ_CST);
	/* What is read from now on is read after that was said */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void rcu_read_unlock(void)
{
	struct reader *me = &readers[this_cpu];

	if (!--me->depth)
		__atomic_store_n(&me->period, 0, __ATOMIC_RELEASE);
}

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	bool many;

	head->func = func;
	pthread_mutex_lock(&lock);
	head->next = callbacks;
	callbacks = head;
	many = ++nr_callbacks > KCR_SHIM_CALLBACKS;
	pthread_mutex_unlock(&lock);
	if (many && !readers[this_cpu].depth)
		kcr_shim_quiesce();
}

void kcr_shim_quiesce(void)
{
	struct rcu_head *head, *next;
	unsigned int cpu;
	u64 now, seen;

	pthread_mutex_lock(&lock);
	head = callbacks;
	callbacks = NULL;
	nr_callbacks = 0;
	pthread_mutex_unlock(&lock);
	now = __atomic_add_fetch(&period, 2, __ATOMIC_SEQ_CST);
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		do {
			seen = __atomic_load_n(&readers[cpu].period, __ATOMIC_SEQ_CST);
		} while (seen && seen < now);
	}
	for (; head; head = next) {
		next = head->next;
		head->func(head);
	}
}

/* The library's own is compiled with vector instructions, which do it no good */
u64 xxh64(const void *data, size_t len, u64 seed)
{
	return XXH64(data, len, seed);
}

void get_random_bytes(void *buf, size_t len)
{
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort();
}

#ifdef CONFIG_KCR_ENCRYPTION
__thread struct task_struct kcr_shim_current;
#endif

/* RFC 8439, section 2.3 */
void chacha_init_consts(u32 *state)
{
	memcpy(state, "expand 32-byte k", 16);
}

static u32 rotate(u32 x, int bits)
{
	return x << bits | x >> (32 - bits);
}

static void quarter(u32 *x, int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 7);
}

void chacha20_block(u32 *state, u8 *stream)
{
	u32 x[16];
	int i;

	memcpy(x, state, sizeof(x));
	for (i = 0; i < 20; i += 2) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 1, 5, 9, 13);
		quarter(x, 2, 6, 10, 14);
		quarter(x, 3, 7, 11, 15);
		quarter(x, 0, 5, 10, 15);
		quarter(x, 1, 6, 11, 12);
		quarter(x, 2, 7, 8, 13);
		quarter(x, 3, 4, 9, 14);
	}
	for (i = 0; i < 16; i++)
		x[i] += state[i];
	memcpy(stream, x, sizeof(x));
	state[12]++;
}
