// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: the real system.
 */
#include "system.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int real_open(const char *path, int flags)
{
	return open(path, flags);
}

static int real_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

static const struct kcr_system real_system = {
	.open = real_open,
	.ioctl = real_ioctl,
	.mmap = mmap,
	.munmap = munmap,
	.close = close,
};

const struct kcr_system *kcr_system = &real_system;
