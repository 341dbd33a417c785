/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/kcr in user space: drivers/kcr compiled from the very same files, so that
 * libkcr can be tested and measured where the kernel has no KCR. A region is a
 * memfd, mapped twice: for whoever looks up, read-only.
 *
 * Descriptors are good in this process and its children, not beyond exec.
 */
#ifndef KCR_EMUL_H
#define KCR_EMUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As the system calls: -1 (MAP_FAILED) and errno if they fail */
int kcr_emul_open(const char *path, int flags);
int kcr_emul_ioctl(int fd, unsigned long request, void *arg);
void *kcr_emul_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int kcr_emul_munmap(void *addr, size_t length);
int kcr_emul_close(int fd);

/**
 * kcr_emul_fail() - have calls fail
 * @request: the ioctl, or 0 for opening the device
 * @error: errno from then on, 0 to have it work again
 */
void kcr_emul_fail(unsigned long request, int error);

/* How many calls were made since the beginning */
unsigned long kcr_emul_calls(void);

/* Milliseconds from now on, until the next; 0 for the real clock */
void kcr_emul_set_clock(uint64_t ms);

/* What kcr_enable says */
void kcr_emul_set_enabled(bool enabled);

/* The byte at @address changes, or is about to: who tracks it is told */
void kcr_emul_touch(const void *address);

/* Why memory is not watched from now on: &enum kcr_refusal */
void kcr_emul_refuse(uint32_t reason);

/* How often memory was to be watched since the beginning */
unsigned long kcr_emul_armings(void);

#ifdef __cplusplus
}
#endif

#endif /* KCR_EMUL_H */
