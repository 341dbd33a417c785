/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libkcr: the system calls that it makes, all of them.
 *
 * Tests and benchmarks put an emulation of the driver in their place.
 */
#ifndef KCR_SYSTEM_H
#define KCR_SYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct kcr_system - system calls: -1 (MAP_FAILED) and errno if they fail
 * @open: open(2) of a device
 * @ioctl: ioctl(2) with a pointer
 * @mmap: mmap(2)
 * @munmap: munmap(2)
 * @close: close(2)
 * @read_self: read of this process's memory what may not be there; NULL to just do it
 * @clock: what calls are timed with, in ticks of any length; NULL for the
 *	processor's counter
 */
struct kcr_system {
	int (*open)(const char *path, int flags);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	void *(*mmap)(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
	int (*munmap)(void *addr, size_t length);
	int (*close)(int fd);
	ssize_t (*read_self)(void *to, const void *from, size_t len);
	uint64_t (*clock)(void);
};

/* Not to be changed while there are domains */
extern const struct kcr_system *kcr_system __attribute__((visibility("hidden")));

#ifdef __cplusplus
}
#endif

#endif /* KCR_SYSTEM_H */
