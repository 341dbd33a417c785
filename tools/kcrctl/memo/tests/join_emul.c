// SPDX-License-Identifier: GPL-2.0-only
/* A domain of an emulated kernel, and what its functions did, for tests. */
#include "memo.h"

#include <emul.h>
#include <fcntl.h>
#include <kcr.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <system.h>
#include <unistd.h>

/* No handler runs while a system call takes locks of the kernel's */
static int ioctl_without_signals(int fd, unsigned long request, void *arg)
{
	sigset_t all, before;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	result = kcr_emul_ioctl(fd, request, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}

static const struct kcr_system emulated = {
	.open = kcr_emul_open,
	.ioctl = ioctl_without_signals,
	.mmap = kcr_emul_mmap,
	.munmap = kcr_emul_munmap,
	.close = kcr_emul_close,
};

struct kcr_domain *kcr_memo_domain(int fd)
{
	struct kcr_domain_options options = {
		.size = sizeof(options),
		.region_size = 1U << 20,
		.learn_target = 10,
	};

	(void)fd;
	kcr_system = &emulated;
	return kcr_domain_create(&options);
}

/* Descriptors are the program's affair: it may have closed all of them. */
__attribute__((destructor)) static void report(void)
{
	const char *path = getenv("KCR_MEMO_REPORT");
	char line[512];
	int fd;

	if (!path)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	for (uint32_t i = 0; fd >= 0 && i < KCR_MEMO_SLOTS; i++) {
		struct kcr_function_stats stats = { .size = sizeof(stats) };
		int length;

		if (!kcr_memo_slots[i].reuse ||
		    kcr_function_get_stats(kcr_memo_slots[i].reuse, &stats))
			continue;
		length = snprintf(line, sizeof(line), "%s %u %llu %llu %llu %llu\n",
				  kcr_memo_functions[kcr_memo_slots[i].function].symbol,
				  stats.state, (unsigned long long)stats.hits,
				  (unsigned long long)(stats.misses + stats.learned + stats.audits),
				  (unsigned long long)stats.bypassed, (unsigned long long)stats.saved);
		if (write(fd, line, (size_t)length) != length)
			break;
	}
	if (fd >= 0)
		close(fd);
}
