// SPDX-License-Identifier: GPL-2.0-only
/*
 * Before the program begins, and when something is bound later: joining the domain, and finding
 * functions in it.
 */
#include "memo.h"

#include <errno.h>
#include <fcntl.h>
#include <kcr.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

struct kcr_memo_slot kcr_memo_slots[KCR_MEMO_ALL_SLOTS] __attribute__((aligned(64)));
struct kcr_memo_function kcr_memo_functions[KCR_MEMO_FUNCTIONS];
struct kcr_memo_hooks kcr_memo_hooks;

static uint32_t nr_functions;
static uint32_t overhead;
static struct kcr_domain *domain;

/*
 * How many seccomp filters this process has: with more than kcrctl had, it was started in a
 * sandbox, and a system call that it did not make without us might be its last. The dynamic linker
 * has opened and read files, so that much is allowed.
 */
static uint32_t seccomp_filters(void)
{
	static const char field[] = "\nSeccomp_filters:";
	char status[4096];
	const char *found;
	ssize_t bytes;
	int fd;

	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return UINT32_MAX;
	bytes = read(fd, status, sizeof(status) - 1);
	close(fd);
	if (bytes < 0)
		return UINT32_MAX;
	status[bytes] = '\0';
	found = strstr(status, field);
	return found ? (uint32_t)strtoul(found + sizeof(field) - 1, NULL, 10) : 0;
}

/**
 * kcr_memo_enters_sandbox() - is this call the door to a sandbox?
 * @slot: that of prctl() or syscall()
 * @frame: the arguments
 *
 * Return: 1 if system calls may be forbidden after it, 0 if not.
 */
int kcr_memo_enters_sandbox(const struct kcr_memo_slot *slot, const struct kcr_memo_frame *frame)
{
	uint64_t first = frame->gp[0], second = frame->gp[1];

	if (slot == &kcr_memo_slots[KCR_MEMO_SLOT_PRCTL])
		return (int)first == PR_SET_SECCOMP;
	if (first == SYS_prctl)
		return (int)second == PR_SET_SECCOMP;
	return first == SYS_seccomp && ((unsigned int)second == SECCOMP_SET_MODE_STRICT ||
					(unsigned int)second == SECCOMP_SET_MODE_FILTER);
}

/**
 * kcr_memo_entering_sandbox() - no system calls from now on
 *
 * Context: any.
 */
void kcr_memo_entering_sandbox(void)
{
	__atomic_store_n(&kcr_memo_hooks.bound, NULL, __ATOMIC_RELAXED);
	kcr_memo_stop_measuring();
	kcr_stop_storing(domain);
}

/* Finds the function that slot @number is bound to in the domain. */
static void bound(uint32_t number)
{
	struct kcr_memo_slot *slot = &kcr_memo_slots[number];
	const struct kcr_memo_function *function = &kcr_memo_functions[slot->function];
	unsigned char identity[KCR_IDENTITY_BYTES];
	struct kcr_function_options options = {
		.size = sizeof(options),
		.identity = identity,
		.name = function->symbol,
		.version = function->digest,
		.flags = function->flags,
		.learn_target = function->learn,
		.expiry_ms = function->expiry_ms,
		.max_entries = function->max_entries,
		.overhead = overhead,
		.sets = function->nr_tracked,
	};
	uint32_t state = KCR_MEMO_BOUND;
	int error = errno;

	/* Only one thread does this */
	if (slot->function >= nr_functions ||
	    !__atomic_compare_exchange_n(&slot->state, &state, KCR_MEMO_PLAIN, 0, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED))
		return;
	if (kcr_code_identity(slot->real, identity))
		goto out;
	kcr_memo_limits(function, &options.key_max, &options.result_max);
	slot->result_max = options.result_max;
	slot->reuse = kcr_function_create(domain, &options);
	if (!kcr_function_status(slot->reuse, NULL))
		__atomic_store_n(&slot->state, KCR_MEMO_READY, __ATOMIC_RELEASE);
out:
	errno = error;
}

static int read_description(const char *description, int *fd)
{
	struct kcr_memo_text text = { description, 0 };
	uint32_t filters;

	if (kcr_memo_read_head(&text, fd, &filters) || seccomp_filters() != filters)
		return -1;
	while (*text.at) {
		if (nr_functions == KCR_MEMO_FUNCTIONS ||
		    kcr_memo_read_function(&text, &kcr_memo_functions[nr_functions]))
			return -1;
		nr_functions++;
	}
	return 0;
}

static int memory_is_watched(void)
{
	for (uint32_t i = 0; i < nr_functions; i++) {
		if (kcr_memo_functions[i].nr_tracked)
			return 1;
	}
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *description = getenv(KCR_MEMO_ENV);
	int error = errno;
	int fd;

	if (!description || read_description(description, &fd))
		goto out;
	if (getrandom(kcr_memo_process, sizeof(kcr_memo_process), GRND_NONBLOCK) !=
	    sizeof(kcr_memo_process))
		goto out;
	domain = kcr_memo_domain(fd);
	if (kcr_domain_status(domain, NULL))
		goto out;
	overhead = kcr_memo_overhead();
	if (memory_is_watched())
		kcr_memo_tracking_begin(domain);
	/* Pairs with find_slot() in audit.c: one of both sees what the other has stored */
	__atomic_store_n(&kcr_memo_hooks.bound, bound, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < KCR_MEMO_SLOTS; i++) {
		if (__atomic_load_n(&kcr_memo_slots[i].state, __ATOMIC_SEQ_CST) == KCR_MEMO_BOUND)
			bound(i);
	}
	kcr_memo_slots[KCR_MEMO_SLOT_PRCTL].state = KCR_MEMO_READY;
	kcr_memo_slots[KCR_MEMO_SLOT_SYSCALL].state = KCR_MEMO_READY;
out:
	errno = error;
}
