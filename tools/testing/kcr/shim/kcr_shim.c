// SPDX-License-Identifier: GPL-2.0-only
#include "kcr_shim.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>

#define KCR_SHIM_DYNAMIC 65536
#define KCR_SHIM_HUGE (2UL << 20)

extern char __start_kcr_percpu[], __stop_kcr_percpu[];

__thread ptrdiff_t kcr_shim_cpu_offset;
unsigned long jiffies = 1000;

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
	void *p = check(aligned_alloc(64, (size + 63) & ~(size_t)63));

	if (zero)
		memset(p, 0, size);
	return p;
}

/* The kernel's direct map has huge pages, so tables get one of their own */
void *kcr_shim_alloc_table(size_t size)
{
	size = (size + KCR_SHIM_HUGE - 1) & ~(size_t)(KCR_SHIM_HUGE - 1);
	void *p = check(aligned_alloc(KCR_SHIM_HUGE, size));

	madvise(p, size, MADV_HUGEPAGE);
	return memset(p, 0, size);
}

struct kmem_cache *kcr_shim_cache(size_t size)
{
	struct kmem_cache *cache = check(malloc(sizeof(*cache)));

	cache->size = size;
	return cache;
}

static struct rcu_head *callbacks;

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	head->func = func;
	pthread_mutex_lock(&lock);
	head->next = callbacks;
	callbacks = head;
	pthread_mutex_unlock(&lock);
}

void kcr_shim_quiesce(void)
{
	struct rcu_head *head, *next;

	pthread_mutex_lock(&lock);
	head = callbacks;
	callbacks = NULL;
	pthread_mutex_unlock(&lock);
	for (; head; head = next) {
		next = head->next;
		head->func(head);
	}
}

void get_random_bytes(void *buf, size_t len)
{
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort();
}
